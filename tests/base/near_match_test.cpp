#include "base/near_match.hpp"

#include <gtest/gtest.h>

#include <array>

namespace sparkmpi {
namespace {

constexpr std::array<std::string_view, 3> kNames = {"stream", "inference", "charge"};

TEST(DidYouMean, SuggestsTheNearestName) {
  EXPECT_EQ(did_you_mean("strem", kNames), " (did you mean 'stream'?)");
  EXPECT_EQ(did_you_mean("INFERENCE", kNames), " (did you mean 'inference'?)");
}

TEST(DidYouMean, StaysSilentWhenNothingIsNear) {
  EXPECT_EQ(did_you_mean("latency", kNames), "");
  EXPECT_EQ(did_you_mean("x", {}), "");
}

}  // namespace
}  // namespace sparkmpi
