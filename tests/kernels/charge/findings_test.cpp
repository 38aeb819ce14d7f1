#include "kernels/charge/findings.hpp"

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "kernels/charge/charge_record.hpp"
#include "tests/kernels/charge/false_machine.hpp"

namespace sparkmpi::kernels::charge {
namespace {

using testing::HasSubstr;

TEST(Findings, AnHonestMachineDoesNotDoubleCount) {
  FalseMachine machine;
  const Matrix matrix = charge_matrix(experiment(machine, "memfd", {}));
  EXPECT_EQ(double_counting(matrix), "No: no ledger counts memory twice.");
  EXPECT_EQ(cell_text(matrix, "memfd", "cgroup.current"), "1.00 ±0.00");
  EXPECT_THAT(
      allocator_verdict(matrix, "file_read", claims_of(matrix)),
      testing::AllOf(HasSubstr("counted by MemFree, cgroup, cgroup^1"), HasSubstr("not by RSS, MemAvail")));
  EXPECT_EQ(count_claims(matrix, Verdict::double_counted), 0U);
}

TEST(Findings, DoubleCountingIsSaidWithLedgerAndAllocator) {
  FalseMachine machine;
  const Matrix matrix = charge_matrix(experiment(machine, "memfd", {.cgroup = 2}));
  EXPECT_EQ(double_counting(matrix), "Yes: cgroup.current counts memfd twice.");
  EXPECT_THAT(cgroup_verdicts(matrix).front(), HasSubstr("counts TWICE: memfd"));
  EXPECT_EQ(count_claims(matrix, Verdict::double_counted), 1U);
}

TEST(Findings, NoiseIsNoDenial) {
  FalseMachine machine;
  const std::vector<double> noise = {0, 200.0 * kMiB, -150.0 * kMiB, 90.0 * kMiB, -220.0 * kMiB};
  const std::string text = double_counting(charge_matrix(experiment(machine, "memfd", {}, noise)));
  EXPECT_THAT(text, testing::AllOf(HasSubstr("as far as could be told"), HasSubstr("meminfo.MemFree")));
}

TEST(Findings, WithoutACgroupNothingIsSaidAboutIt) {
  FalseMachine machine;
  std::filesystem::remove_all(machine.path("sys"));
  std::filesystem::remove(machine.path("proc/self/cgroup"));
  std::vector<Observation> cells = experiment(machine, "memfd", {});
  for (Observation& cell : cells) {
    for (ledger::Snapshot& snapshot : cell.snapshots)
      std::erase_if(snapshot.readings,
                    [](const auto& reading) { return reading.name.starts_with("cgroup"); });
  }
  EXPECT_THAT(double_counting(charge_matrix(cells)), HasSubstr("of a memory cgroup nothing can be said"));
}

TEST(Findings, HostMemoryThatTheCgroupMissesIsRemarked) {
  FalseMachine machine;
  const auto lines = remarks(charge_matrix(experiment(machine, "memfd", {.cgroup = 0})));
  EXPECT_THAT(lines, testing::Contains(HasSubstr("cgroup.current does not count host memory of memfd")));
  EXPECT_THAT(remarks(charge_matrix(experiment(machine, "memfd", {}))),
              testing::Not(testing::Contains(HasSubstr("does not count"))));
}

TEST(Findings, AnUnsupportedLedgerSaysSo) {
  FalseMachine machine;
  std::vector<Observation> cells = experiment(machine, "memfd", {});
  for (Observation& cell : cells) {
    for (ledger::Snapshot& snapshot : cell.snapshots)
      snapshot.readings.push_back({"nvml.device_used", "B", ledger::Answer::not_supported, 0});
  }
  const Matrix matrix = charge_matrix(cells);
  EXPECT_EQ(claims_of(matrix).back().ledger, "nvml.device_used");
  EXPECT_EQ(cell_text(matrix, "memfd", "nvml.device_used"), "n/s");
}

TEST(Record, ComesBackAsTheSameMatrix) {
  FalseMachine machine;
  std::vector<Observation> cells = experiment(machine, "memfd", {.cgroup = 2});
  cells.push_back({"posix_shm", 64 * kMiB, {}, "refused", 24});
  const Matrix matrix = charge_matrix(cells);
  ledger::LedgerSet none;
  const Clock clock;
  Recorder recorder(charge_metrics(), none, clock);
  record_charges(cells, matrix, recorder);
  const std::vector<Observation> stored = stored_observations(std::move(recorder).take());
  ASSERT_EQ(stored.size(), cells.size());
  EXPECT_EQ(stored.back().error, "refused");
  const Matrix again = charge_matrix(stored);
  ASSERT_EQ(again.charges.size(), matrix.charges.size());
  for (const Charge& charge : matrix.charges) {
    const Charge* const same = again.find(charge.allocator, charge.step, charge.ledger);
    ASSERT_NE(same, nullptr) << charge.allocator << ' ' << charge.step << ' ' << charge.ledger;
    EXPECT_EQ(same->verdict, charge.verdict) << charge.ledger;
    if (charge.verdict == Verdict::not_answered) continue;
    EXPECT_DOUBLE_EQ(same->slope.value, charge.slope.value);
  }
}

TEST(Record, ADamagedOneIsRefused) {
  FalseMachine machine;
  const std::vector<Observation> cells = experiment(machine, "memfd", {});
  ledger::LedgerSet none;
  const Clock clock;
  Recorder recorder(charge_metrics(), none, clock);
  record_charges(cells, charge_matrix(cells), recorder);
  recorder.series("change_ledger", "change").front() = 1e9;
  const results::KernelRecord record = std::move(recorder).take();
  EXPECT_THROW(stored_observations(record), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels::charge
