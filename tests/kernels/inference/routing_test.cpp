#include <gtest/gtest.h>

#include <cmath>

#include "kernels/inference/host/experts.hpp"

namespace sparkmpi::kernels::inference {
namespace {

TEST(Routing, HighestLogitsWithTheSoftmaxOverThem) {
  ModelConfig config;
  config.experts = 5;
  config.experts_per_token = 2;
  Routing routing(config);
  const std::vector<float> logits = {0,  3,  1,  2,  -1,  //
                                     7,  7,  7,  7,  7,   // ties: the lower numbers
                                     -9, -5, -8, -7, -6};
  routing.assign(logits.data(), 3);
  EXPECT_EQ(routing.distinct(), 4U);
  ASSERT_EQ(routing.of(0).size(), 1U);
  EXPECT_EQ(routing.of(0)[0].token, 1U);
  EXPECT_FLOAT_EQ(routing.of(0)[0].weight, 0.5F);
  ASSERT_EQ(routing.of(1).size(), 3U);
  EXPECT_EQ(routing.of(1)[0].token, 0U);
  EXPECT_EQ(routing.of(1)[2].token, 2U);
  EXPECT_FLOAT_EQ(routing.of(1)[0].weight, 1 / (1 + std::exp(-1.0F)));
  EXPECT_TRUE(routing.of(2).empty());
  EXPECT_FLOAT_EQ(routing.of(3)[0].weight + routing.of(1)[0].weight, 1);
  EXPECT_EQ(routing.of(4)[0].token, 2U);
  EXPECT_EQ(routing.first(3), 4U);
  routing.assign(logits.data() + 5, 1);
  EXPECT_EQ(routing.distinct(), 2U);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
