#pragma once
// A stretch of a file that is wanted in another order than it lies there: whole in memory, read by all who
// want it together.

#include <atomic>
#include <cstdint>
#include <exception>
#include <list>
#include <memory>
#include <mutex>
#include <span>

#include "kernels/host/buffer.hpp"
#include "kernels/inference/weight_file.hpp"

namespace sparkmpi::kernels::inference {

class StagedTensor {
 public:
  /// Reads nothing yet. @param file outlives it.
  StagedTensor(const WeightFile& file, std::uint64_t begin, std::size_t bytes);

  /// Reads what nobody else reads already and waits for the others. Throws Error when one of the reads
  /// failed.
  std::span<const std::byte> bytes();
  bool is(const WeightFile& file, std::uint64_t begin) const { return &file_ == &file && begin_ == begin; }

 private:
  const WeightFile& file_;
  std::uint64_t begin_;
  std::size_t size_;
  host::Buffer memory_;
  std::atomic<std::size_t> next_{0}, arrived_{0};  ///< pieces
  std::mutex mutex_;
  std::exception_ptr failure_;
};

/// The stretches that were asked for last, for any number of threads that go through a file's tensors in
/// about the same order.
class StagedTensors {
 public:
  std::shared_ptr<StagedTensor> at(const WeightFile& file, std::uint64_t begin, std::size_t bytes);

 private:
  std::mutex mutex_;
  std::list<std::shared_ptr<StagedTensor>> recent_;  ///< the latest first
};

}  // namespace sparkmpi::kernels::inference
