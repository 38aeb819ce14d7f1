#include "kernels/charge/verdict.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

namespace sparkmpi::kernels::charge {
namespace {

Slope slope(double value, double half_width = 0.01) {
  return {value, half_width, 0};
}

TEST(Verdict, WholeSlopesHaveNames) {
  EXPECT_EQ(judge(slope(0.00)), Verdict::uncounted);
  EXPECT_EQ(judge(slope(1.02)), Verdict::counted);
  EXPECT_EQ(judge(slope(1.98)), Verdict::double_counted);
}

TEST(Verdict, BetweenOrNoisyIsIndeterminate) {
  EXPECT_EQ(judge(slope(0.5)), Verdict::indeterminate);
  EXPECT_EQ(judge(slope(1.5)), Verdict::indeterminate);
  EXPECT_EQ(judge(slope(3.0)), Verdict::indeterminate);
  EXPECT_EQ(judge(slope(1.0, 0.2)), Verdict::indeterminate) << "the interval reaches beyond the band";
  EXPECT_EQ(judge(slope(1.0, std::numeric_limits<double>::infinity())), Verdict::indeterminate);
}

TEST(Verdict, NoNumberIsNoVerdict) {
  EXPECT_EQ(judge(slope(std::numeric_limits<double>::quiet_NaN())), Verdict::not_answered);
}

TEST(Controls, PassWhenTheyShowOne) {
  EXPECT_EQ(
      failed_control({{"malloc", "status.VmRSS", slope(1.0)}, {"file_read", "meminfo.MemFree", slope(1.01)}}),
      "");
}

TEST(Controls, AFailedOneIsNamed) {
  const std::string line =
      failed_control({{"malloc", "status.VmRSS", slope(1.0)}, {"file_read", "meminfo.MemFree", slope(0.4)}});
  EXPECT_THAT(line, testing::HasSubstr("meminfo.MemFree"));
  EXPECT_THAT(line, testing::HasSubstr("file_read"));
  EXPECT_THAT(line, testing::HasSubstr("0.40"));
}

TEST(Controls, ALedgerThatIsNotThereFailsNothing) {
  const std::vector<Control> controls = {
      {"malloc", "status.VmRSS", slope(std::numeric_limits<double>::quiet_NaN())}};
  EXPECT_EQ(failed_control(controls), "");
  EXPECT_EQ(doubtful_control(controls), "");
}

TEST(Controls, ANoisyOneIsDoubtfulAndDoesNotFail) {
  const std::vector<Control> controls = {{"malloc", "status.VmRSS", slope(1.0)},
                                         {"malloc", "meminfo.MemFree", slope(0.7, 0.5)}};
  EXPECT_EQ(failed_control(controls), "");
  EXPECT_THAT(doubtful_control(controls), testing::HasSubstr("meminfo.MemFree"));
  EXPECT_EQ(doubtful_control({controls.front()}), "");
  EXPECT_EQ(doubtful_control({{"malloc", "meminfo.MemFree", slope(0.4)}}), "") << "that one fails";
}

}  // namespace
}  // namespace sparkmpi::kernels::charge
