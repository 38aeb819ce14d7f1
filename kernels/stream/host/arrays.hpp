#pragma once
// The arrays of one operation: laid out, first touched by the workers that use them, run, and verified.

#include <cstddef>
#include <vector>

#include "kernels/host/buffer.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/stream/host/loops.hpp"
#include "kernels/stream/operations.hpp"

namespace sparkmpi::kernels::stream {

/// The footprint is the memory that the operation touches: it is divided between the one, two or three arrays
/// that it uses.
class Arrays {
 public:
  /// @param footprint bytes in all; rounded down to whole cache lines for each array. Throws Error when there
  /// is no memory.
  Arrays(host::ThreadTeam& team, const OperationInfo& operation, std::size_t footprint);

  /// Once over all elements, by all workers.
  void run(const Loops& loops);
  /// Bytes that one run() moves by the operation's definition.
  double bytes() const;
  /// Compares every element and the sums of read and dot with what they must be. All values are small whole
  /// numbers or halves, so the comparison is exact whatever the order of the additions. Throws Error that
  /// names the first wrong element.
  void verify() const;

  std::size_t elements() const { return elements_; }
  /// For tests that plant an error.
  double* array(int index) const { return arrays_[index]; }

 private:
  void initialise(int worker);

  host::ThreadTeam& team_;
  const OperationInfo& operation_;
  std::size_t elements_;
  host::Buffer memory_;
  double* arrays_[3] = {};  ///< a, b, c; null where the operation has none
  /// One cache line a worker.
  struct alignas(64) Sum {
    double value = 0;
  };
  std::vector<Sum> sums_;
};

}  // namespace sparkmpi::kernels::stream
