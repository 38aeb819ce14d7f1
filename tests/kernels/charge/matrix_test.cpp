#include "kernels/charge/matrix.hpp"

#include <gmock/gmock.h>

#include <cmath>

#include "tests/kernels/charge/false_machine.hpp"

namespace sparkmpi::kernels::charge {
namespace {

Verdict verdict(const Matrix& matrix, const std::string& allocator, const std::string& ledger) {
  const Charge* const charge = matrix.find(allocator, "touch_cpu", ledger);
  return charge == nullptr ? Verdict::not_answered : charge->verdict;
}

TEST(Matrix, HonestLedgersCountOnce) {
  FalseMachine machine;
  const Matrix matrix = charge_matrix(experiment(machine, "memfd", {}));
  EXPECT_EQ(matrix.broken, "");
  EXPECT_EQ(matrix.doubtful, "");
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup.current"), Verdict::counted);
  EXPECT_EQ(verdict(matrix, "memfd", "meminfo.MemFree"), Verdict::counted);
  EXPECT_EQ(verdict(matrix, "file_read", "meminfo.MemAvailable"), Verdict::uncounted);
  EXPECT_EQ(matrix.find("memfd", "free", "cgroup.current")->verdict, Verdict::uncounted);
  EXPECT_NEAR(matrix.find("memfd", "touch_cpu", "meminfo.MemFree")->slope.value, 1, 1e-3)
      << "a fall of what is left is a charge";
}

TEST(Matrix, ALedgerThatCountsTwiceIsSeen) {
  FalseMachine machine;
  const Matrix matrix = charge_matrix(experiment(machine, "memfd", {.cgroup = 2}));
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup.current"), Verdict::double_counted);
  EXPECT_EQ(verdict(matrix, "malloc", "cgroup.current"), Verdict::counted);
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup^1.current"), Verdict::counted);
}

TEST(Matrix, ALedgerOfALevelAboveThatCountsTwiceIsSeen) {
  FalseMachine machine;
  const Matrix matrix = charge_matrix(experiment(machine, "memfd", {.parent = 2}));
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup^1.current"), Verdict::double_counted);
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup.current"), Verdict::counted);
}

TEST(Matrix, ANoisyLedgerIsIndeterminateAndTheOthersAreNot) {
  FalseMachine machine;
  const std::vector<double> noise = {0,           200.0 * kMiB, -150.0 * kMiB, 90.0 * kMiB, -220.0 * kMiB,
                                     30.0 * kMiB, 170.0 * kMiB};
  const Matrix matrix = charge_matrix(experiment(machine, "memfd", {}, noise));
  EXPECT_EQ(matrix.broken, "") << "noise breaks no control";
  EXPECT_THAT(matrix.doubtful, testing::HasSubstr("MemFree"));
  EXPECT_EQ(verdict(matrix, "memfd", "meminfo.MemFree"), Verdict::indeterminate);
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup.current"), Verdict::counted);
}

TEST(Matrix, FreePagesOnTheCoresOwnListsAreNoNoiseOfMemFree) {
  FalseMachine machine;
  std::vector<Observation> cells = experiment(machine, "memfd", {});
  double moved = 0;
  for (Observation& cell : cells) {
    for (ledger::Snapshot& snapshot : cell.snapshots) {
      moved = std::fmod(moved + 173.0 * kMiB, 400.0 * kMiB);
      for (ledger::Reading& reading : snapshot.readings) {
        if (reading.name == "meminfo.MemFree" || reading.name == "meminfo.MemAvailable")
          reading.value -= moved;
        if (reading.name == "zoneinfo.pcp_free") reading = {reading.name, "B", ledger::Answer::value, moved};
      }
    }
  }
  const Matrix matrix = charge_matrix(cells);
  EXPECT_EQ(matrix.doubtful, "");
  EXPECT_EQ(verdict(matrix, "memfd", "meminfo.MemFree"), Verdict::counted);
  EXPECT_EQ(verdict(matrix, "file_read", "meminfo.MemAvailable"), Verdict::uncounted);
}

TEST(Matrix, NoiseOfOtherAllocatorsWidensAnExactLine) {
  FalseMachine machine;
  std::vector<Observation> cells =
      experiment(machine, "memfd", {}, {0, 200.0 * kMiB, -150.0 * kMiB, 90.0 * kMiB, -220.0 * kMiB});
  for (const std::size_t bytes : {64 * kMiB, 128 * kMiB, 256 * kMiB})
    cells.push_back(machine.cell("mmap", bytes, {}));
  EXPECT_EQ(verdict(charge_matrix(cells), "mmap", "meminfo.MemFree"), Verdict::indeterminate);
}

TEST(Matrix, AnAllocatorThatScattersAloneSpoilsNoOther) {
  FalseMachine machine;
  std::vector<Observation> cells = experiment(machine, "memfd", {});
  for (const double extra : {0.0, 64.0, -64.0}) {
    for (const std::size_t bytes : {64 * kMiB, 128 * kMiB, 256 * kMiB})
      cells.push_back(machine.cell("mmap", bytes, {}, extra * static_cast<double>(kMiB)));
  }
  const Matrix matrix = charge_matrix(cells);
  EXPECT_EQ(verdict(matrix, "mmap", "meminfo.MemFree"), Verdict::indeterminate);
  EXPECT_EQ(verdict(matrix, "memfd", "meminfo.MemFree"), Verdict::counted);
}

TEST(Matrix, AFailedControlWithholdsEveryVerdict) {
  FalseMachine machine;
  std::vector<Observation> cells = experiment(machine, "memfd", {});
  std::erase_if(cells, [](const Observation& cell) { return cell.allocator == "malloc"; });
  for (const std::size_t bytes : {64 * kMiB, 128 * kMiB, 256 * kMiB})
    cells.push_back(machine.cell("malloc", bytes, {.mem_free = 0.5}));
  const Matrix matrix = charge_matrix(cells);
  EXPECT_THAT(matrix.broken, testing::AllOf(testing::HasSubstr("MemFree"), testing::HasSubstr("malloc")));
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup.current"), Verdict::indeterminate);
}

TEST(Matrix, ALedgerThatGoesAwayLeavesTheOthers) {
  FalseMachine machine;
  std::vector<Observation> cells = experiment(machine, "memfd", {});
  std::filesystem::remove_all(machine.path("sys/fs/cgroup"));
  for (const std::size_t bytes : {64 * kMiB, 128 * kMiB, 256 * kMiB}) {
    Observation cell = machine.cell("mmap", bytes, {});
    for (ledger::Snapshot& snapshot : cell.snapshots) {
      for (ledger::Reading& reading : snapshot.readings) {
        if (reading.name.starts_with("cgroup"))
          reading = {reading.name, reading.unit, ledger::Answer::absent, std::nan("")};
      }
    }
    cells.push_back(cell);
  }
  const Matrix matrix = charge_matrix(cells);
  EXPECT_EQ(verdict(matrix, "mmap", "meminfo.MemFree"), Verdict::counted);
  EXPECT_EQ(verdict(matrix, "mmap", "cgroup.current"), Verdict::not_answered);
  EXPECT_EQ(verdict(matrix, "memfd", "cgroup.current"), Verdict::counted);
}

TEST(Matrix, StepsOfAKilledCellCount) {
  FalseMachine machine;
  std::vector<Observation> cells = experiment(machine, "memfd", {});
  Observation killed = machine.cell("memfd", 512 * kMiB, {});
  killed.snapshots.pop_back();
  killed.error = "killed";
  cells.push_back(killed);
  const Matrix matrix = charge_matrix(cells);
  EXPECT_EQ(matrix.find("memfd", "touch_cpu", "cgroup.current")->cells, 7U);
  EXPECT_EQ(matrix.find("memfd", "free", "cgroup.current")->cells, 6U);
}

TEST(Levels, AreWhatIsUsedOrLeftNow) {
  const auto level = [](const char* name, const char* unit = "B") {
    return is_level({name, unit, ledger::Answer::value, 1});
  };
  EXPECT_TRUE(level("meminfo.MemFree"));
  EXPECT_TRUE(level("cgroup^2.current"));
  EXPECT_TRUE(level("cuda.used"));
  EXPECT_FALSE(level("meminfo.MemTotal"));
  EXPECT_FALSE(level("cgroup.max"));
  EXPECT_FALSE(level("cgroup.peak"));
  EXPECT_FALSE(level("vmstat.pgpgin"));
  EXPECT_FALSE(level("nvml.power", "W"));
}

}  // namespace
}  // namespace sparkmpi::kernels::charge
