#pragma once
// A file of weights, read piece by piece to where its bytes belong.

#include <sys/stat.h>

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "kernels/host/buffer_pool.hpp"

namespace sparkmpi::kernels::inference {

/// How weight files come into memory.
enum class LoadMode : std::uint8_t {
  cached,  ///< by way of the page cache
  direct,  ///< O_DIRECT: past it
};

/// The processors of a team that reads: each as often as it takes to keep a disk busy while others lay out
/// what has arrived.
std::vector<int> reader_cpus(const std::vector<int>& cpus);

/// Any number of threads may read at once, each what it wants and where it wants it. Direct reads go by way
/// of the pool's buffers, which are of huge pages and used again and again. (Reads straight to a place of
/// their own were slower, docs/findings/loading.md.)
class WeightFile {
 public:
  /// @param pool outlives the file. Throws UsageError when it can't be opened so, or is empty.
  WeightFile(std::filesystem::path path, LoadMode mode, host::BufferPool& pool);
  ~WeightFile();
  WeightFile(const WeightFile&) = delete;             ///< owns a descriptor
  WeightFile& operator=(const WeightFile&) = delete;  ///< owns a descriptor

  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const { return static_cast<std::uint64_t>(opened_.st_size); }
  LoadMode mode() const { return mode_; }

  /// Copies the bytes from `begin` on. Throws Error when a read fails, the file ends early, or it was changed
  /// since it was opened.
  void read(std::uint64_t begin, std::span<std::byte> to) const;
  /// The same bytes somewhere in the lease's buffer, until that is used for something else.
  std::span<const std::byte> view(std::uint64_t begin, std::size_t bytes, host::BufferPool::Lease& in) const;

  host::BufferPool& pool() const { return pool_; }

 private:
  void read_fully(std::uint64_t begin, std::span<std::byte> to, std::size_t needed) const;
  void check_unchanged() const;

  std::filesystem::path path_;
  LoadMode mode_;
  std::size_t block_;  ///< reads begin and end at multiples of it
  host::BufferPool& pool_;
  int descriptor_;
  struct stat opened_ {};
};

}  // namespace sparkmpi::kernels::inference
