#pragma once
// One rank's way up the ladder: child, rules, ledgers and samples brought together.

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/child/child_process.hpp"
#include "kernels/kernel.hpp"
#include "kernels/pressure/headroom.hpp"
#include "kernels/pressure/ladder.hpp"
#include "kernels/pressure/protocol.hpp"
#include "kernels/pressure/read_probe.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::kernels::pressure {

struct ClimbOptions {
  ChildOptions child;
  Rules rules;
  std::optional<std::uint64_t> step, resolution, ceiling;  ///< derived from the budget where unset
  double patience_s = 60;  ///< for one step, and 1 s more for each 256 MiB of it
  double read_time_s = 0;  ///< of reading after each step; 0: none
  std::string program = "/proc/self/exe";
};

class Climb {
 public:
  /// Starts the child and reads what there is before it grows. @param ledgers of this rank's device.
  /// @param probe null: nothing is read. Throws Error when no child can be started.
  Climb(const ClimbOptions& options, ledger::LedgerSet ledgers, std::unique_ptr<ReadProbe> probe,
        Context& context);

  /// Tries one size and records what became of it. False when the answer is known, or this run is to stop.
  bool grow();
  /// Reads beside what is held now, when that has changed since it was last read.
  void read();
  /// Records the answer, as far as it is known. Call it once, also after an interruption.
  void finish();

 private:
  std::optional<Refusal> start_child();
  /// Nothing when this run is to stop.
  std::optional<Report> try_size(std::uint64_t target);
  std::optional<Report> await(double patience_s);
  Refusal after_death();
  std::vector<ledger::Reading> read_ledgers();
  void record(std::uint64_t target, std::uint64_t held_before, const Report& report);

  const ClimbOptions& options_;
  ledger::LedgerSet ledgers_;
  std::unique_ptr<ReadProbe> probe_;
  Context& context_;
  std::unique_ptr<child::ChildProcess> child_;
  std::vector<ledger::Reading> last_;  ///< what the ledgers said after the last step
  std::optional<Ladder> ladder_;
  std::optional<Refusal> refusal_;  ///< of the smallest size refused
  std::uint64_t held_ = 0;
  std::optional<std::uint64_t> read_at_;  ///< what was held at the last read()
  double budget_ = 0;
  double cgroup_at_largest_;
  std::int64_t children_lost_ = 0;
};

}  // namespace sparkmpi::kernels::pressure
