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
  std::string allocator;  ///< "idle" for the cells that allocate nothing
  std::size_t bytes = 0;
  std::vector<ledger::Snapshot> snapshots;  ///< named by step, the first one "before"
};

/// One entry of the matrix.
struct Charge {
  std::string allocator;
  std::string step;    ///< change since "before"
  std::string ledger;  ///< a Reading's name
  Slope slope;         ///< bytes of charge per byte; positive means that the ledger counts the memory as used
  Verdict verdict = Verdict::not_answered;
};

/// Ledgers that say what is left ("meminfo.MemFree", "cuda.free") fall when memory is used; their charge is
/// the fall.
bool counts_what_is_left(std::string_view ledger);

/// Every allocator × step × ledger in bytes, in the order of first appearance. When a control fails
/// (verdict.hpp) all verdicts are "indeterminate" and `broken` says why.
struct Matrix {
  std::vector<Charge> charges;
  std::string broken;  ///< empty: the controls hold
  const Charge* find(std::string_view allocator, std::string_view step, std::string_view ledger) const;
};
Matrix charge_matrix(std::span<const Observation> observations);

/// The step at which an allocator's memory is all there: the last touch, or "allocate" when it has none.
std::string settled_step(const Matrix& matrix, std::string_view allocator);

}  // namespace sparkmpi::kernels::charge
