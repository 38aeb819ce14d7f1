#include "cli/plan_builder.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"
#include "kernels/registry.hpp"

namespace sparkmpi::cli {
namespace {

kernels::Plan plan_of(const char* kernel, const TypedOptions& typed) {
  kernels::Plan plan;
  add_points(kernels::find_kernel(kernel), typed, plan);
  return plan;
}

std::int64_t number(const kernels::PlannedPoint& planned, const char* name) {
  return std::get<std::int64_t>(planned.point.parameters.at(name));
}

TEST(AddPoints, ListsMakeACrossProduct) {
  const auto plan = plan_of("inference", {{"n-prompt", "128,256"}, {"concurrency", "1-4*2"}});
  ASSERT_EQ(plan.size(), 6U);
  EXPECT_EQ(number(plan[0], "n-prompt"), 128);
  EXPECT_EQ(number(plan[1], "concurrency"), 2);
  EXPECT_EQ(number(plan[5], "n-prompt"), 256);
  EXPECT_EQ(number(plan[5], "concurrency"), 4);
  EXPECT_EQ(plan[5].point.index, 5);
}

TEST(AddPoints, DefaultsAreFilledInAndUnsetOptionsAreLeftOut) {
  const auto plan = plan_of("inference", {});
  ASSERT_EQ(plan.size(), 1U);
  EXPECT_EQ(number(plan[0], "n-prompt"), 512);
  EXPECT_FALSE(plan[0].point.parameters.contains("dataset"));
  EXPECT_EQ(number(plan[0], "save-tokens"), 0);
}

TEST(AddPoints, RefusesValuesOutOfRangeAndNamesTheOption) {
  for (const auto& [name, text] : TypedOptions{{"n-prompt", "-1"},
                                               {"n-gen", "-3"},
                                               {"concurrency", "1.5"},
                                               {"seed", "1,2"},
                                               {"repetitions", ""}}) {
    try {
      plan_of("inference", {{name, text}});
      ADD_FAILURE() << name << ' ' << text;
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("--" + name), std::string::npos) << error.what();
    }
  }
  EXPECT_THROW(plan_of("stream", {{"footprint", "0"}}), UsageError);
  EXPECT_THROW(plan_of("inference", {{"n-prompt", "1-200"}, {"n-gen", "1-200"}}), UsageError);
}

}  // namespace
}  // namespace sparkmpi::cli
