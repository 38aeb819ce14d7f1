#pragma once
// Whole files past the page cache, while those that are read already are worked on.

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <vector>

namespace sparkmpi::kernels::inference {

/// How weight files come into memory.
enum class LoadMode : std::uint8_t {
  mapped,  ///< memory-mapped: by way of the page cache
  direct,  ///< O_DIRECT into memory of their own, as much as the files are long
};

/// The alignment that O_DIRECT asks of addresses, offsets and lengths on every file system in use.
inline constexpr std::size_t kDirectAlignment = 4096;

/// Reads files from front to back with several reads in flight, by threads of its own.
///
/// Example:
///   DirectRead reading({{path, size, memory}});
///   reading.wait(0, begin, end);   // these bytes of the first file are there now
class DirectRead {
 public:
  struct File {
    std::filesystem::path path;
    std::size_t size = 0;     ///< the whole file's
    std::byte* to = nullptr;  ///< aligned to kDirectAlignment, with room for `size` rounded up to it
  };
  /// Throws UsageError when a file can't be opened so (a file system without O_DIRECT).
  explicit DirectRead(std::vector<File> files);
  /// Ends the reads that are in flight and starts no others.
  ~DirectRead();
  DirectRead(const DirectRead&) = delete;             ///< owns threads
  DirectRead& operator=(const DirectRead&) = delete;  ///< owns threads

  /// Returns when bytes [begin, end) of a file are where they belong; any number of threads may wait. Throws
  /// Error when a read failed or ended early.
  void wait(std::size_t file, std::size_t begin, std::size_t end) const;

 private:
  class State;
  std::unique_ptr<State> state_;
};

}  // namespace sparkmpi::kernels::inference
