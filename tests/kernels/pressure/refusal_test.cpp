#include "kernels/pressure/refusal.hpp"

#include <gtest/gtest.h>

#include <csignal>
#include <vector>

#include "base/error.hpp"
#include "kernels/pressure/protocol.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

using ledger::Answer;
using ledger::make_reading;

EventCounts counts(double oom_kill, double max, double high, double node_oom_kill) {
  EventCounts counts;
  counts.cgroup_oom_kill = oom_kill;
  counts.cgroup_max = max;
  counts.cgroup_high = high;
  counts.node_oom_kill = node_oom_kill;
  return counts;
}

TEST(Refusal, AKillIsAnOomKillOnlyWhenACounterRose) {
  const EventCounts before = counts(3, 10, 0, 7);
  EXPECT_EQ(classify_death(SIGKILL, "", before, counts(4, 11, 0, 8)).cause, Cause::oom_kill);
  EXPECT_EQ(classify_death(SIGKILL, "", before, counts(3, 10, 0, 8)).cause, Cause::oom_kill);
  EXPECT_EQ(classify_death(SIGKILL, "", before, before).cause, Cause::killed);
  // At the limit, but what killed it was something else.
  EXPECT_EQ(classify_death(SIGKILL, "", before, counts(3, 11, 5, 7)).cause, Cause::killed);
  EXPECT_EQ(classify_death(SIGBUS, "", before, counts(4, 11, 0, 8)).cause, Cause::killed);
  EXPECT_EQ(classify_death(0, "ended with status 1", before, before).cause, Cause::killed);
}

TEST(Refusal, TheNodesOomKillIsToldFromTheCgroups) {
  const std::string in_cgroup = classify_death(SIGKILL, "", {}, counts(1, 1, 0, 1)).text;
  const std::string on_node = classify_death(SIGKILL, "", {}, counts(0, 0, 0, 1)).text;
  EXPECT_NE(in_cgroup, on_node);
  EXPECT_NE(on_node.find("node"), std::string::npos);
}

TEST(Refusal, AStallIsTheEventThatRose) {
  const EventCounts before = counts(0, 10, 20, 0);
  EXPECT_EQ(classify_stall(60, before, counts(0, 10, 21, 0)).cause, Cause::cgroup_high);
  EXPECT_EQ(classify_stall(60, before, counts(0, 12, 20, 0)).cause, Cause::cgroup_max);
  EXPECT_EQ(classify_stall(60, before, before).cause, Cause::patience);
}

TEST(Refusal, EventsAreSummedOverLevelsAndAbsentOnesCountNothing) {
  const std::vector<ledger::Reading> readings = {
      make_reading("vmstat.oom_kill", "1", Answer::value, 9),
      make_reading("cgroup.events.max", "1", Answer::value, 2),
      make_reading("cgroup.events.oom_kill", "1", Answer::value, 1),
      make_reading("cgroup.events.high", "1", Answer::absent),
      make_reading("cgroup^1.events.max", "1", Answer::value, 30),
      make_reading("cgroup^1.events.oom_kill", "1", Answer::not_permitted),
      make_reading("cgroup.max", "B", Answer::value, 1e9),
  };
  const EventCounts events = event_counts(readings);
  EXPECT_EQ(events.cgroup_max, 32);
  EXPECT_EQ(events.cgroup_oom_kill, 1);
  EXPECT_EQ(events.cgroup_high, 0);
  EXPECT_EQ(events.node_oom_kill, 9);
}

TEST(Refusal, EveryCauseHasANameThatLeadsBack) {
  for (int number = 0; number <= static_cast<int>(Cause::ceiling); ++number) {
    const auto cause = static_cast<Cause>(number);
    EXPECT_EQ(cause_of(to_string(cause)), cause);
  }
  EXPECT_FALSE(cause_of("bad luck"));
}

TEST(Protocol, ReportsAndTargetsComeThroughWhole) {
  EXPECT_EQ(decode_target(encode_target(std::uint64_t{1} << 40U)), std::uint64_t{1} << 40U);
  Report report{std::uint64_t{3} << 30U, 0.25, 1.5, 4096, Refusal{Cause::return_code, "mmap: no"}};
  const Report back = decode_report(encode(report));
  EXPECT_EQ(back.held, report.held);
  EXPECT_EQ(back.allocate_s, report.allocate_s);
  EXPECT_EQ(back.touch_s, report.touch_s);
  ASSERT_TRUE(back.refusal);
  EXPECT_EQ(back.refusal->cause, Cause::return_code);
  EXPECT_EQ(back.refusal->text, "mmap: no");
  report.refusal.reset();
  EXPECT_FALSE(decode_report(encode(report)).refusal);
  EXPECT_THROW(decode_report(encode_target(1)), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels::pressure
