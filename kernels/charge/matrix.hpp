#pragma once
// The charge matrix: for each allocator and step, how every ledger moved per byte. Pure arithmetic over
// snapshots.

#include <cstddef>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/charge/regression.hpp"
#include "kernels/charge/verdict.hpp"
#include "ledger/reading.hpp"

namespace sparkmpi::kernels::charge {

/// One cell of the experiment as it was observed.
struct Observation {
  std::string allocator;  ///< kIdle for the cells that allocate nothing
  std::size_t bytes = 0;
  std::vector<ledger::Snapshot> snapshots;  ///< named by step, the first one "before"
  std::string error;                        ///< why steps are missing; empty when all were taken
  std::size_t order = 0;                    ///< of this cell in the whole experiment, from 0
};

/// One entry of the matrix.
struct Charge {
  std::string allocator;
  std::string step;    ///< change since "before"
  std::string ledger;  ///< a Reading's name
  Slope slope;         ///< bytes of charge per byte; positive means that the ledger counts the memory as used
  Verdict verdict = Verdict::not_answered;
  std::size_t cells = 0;  ///< that took the step, whether or not the ledger answered
};

/// What one ledger does while nothing is allocated.
struct LedgerNoise {
  std::string ledger;
  ledger::Answer answer = ledger::Answer::absent;  ///< value as soon as one reading was
  double bytes = 0;  ///< standard deviation of the idle cells' changes; NaN with fewer than two of them
};

/// Whether a reading says how much is used or left now: bytes, and no total, limit, peak or count since boot.
bool is_level(const ledger::Reading& reading);

/// Every allocator × step × level, in the order of first appearance. When a control fails (verdict.hpp) all
/// verdicts are "indeterminate" and `broken` says why; `doubtful` says which control was too noisy to hold or
/// fail.
struct Matrix {
  std::vector<Charge> charges;
  std::vector<LedgerNoise> ledgers;
  std::string broken;    ///< empty: no control fails
  std::string doubtful;  ///< empty: every control holds
  const Charge* find(std::string_view allocator, std::string_view step, std::string_view ledger) const;
};
Matrix charge_matrix(std::span<const Observation> observations);

/// The step at which an allocator's memory is all there: the last touch, or "allocate" when it has none.
std::string settled_step(const Matrix& matrix, std::string_view allocator);
/// In order of first appearance.
std::vector<std::string> allocators_of(const Matrix& matrix);

}  // namespace sparkmpi::kernels::charge
