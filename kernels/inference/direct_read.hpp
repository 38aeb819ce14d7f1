#pragma once
// Whole files past the page cache.

#include <cstddef>
#include <cstdint>
#include <filesystem>

namespace sparkmpi::kernels::inference {

/// How weight files come into memory.
enum class LoadMode : std::uint8_t {
  mapped,  ///< memory-mapped: by way of the page cache
  direct,  ///< O_DIRECT into memory of their own, as much as the files are long
};

/// The alignment that O_DIRECT asks of addresses, offsets and lengths on every file system in use.
inline constexpr std::size_t kDirectAlignment = 4096;

/// Reads `size` bytes, the whole file, to `to` with several reads in flight. @param to aligned to
/// kDirectAlignment, with room for `size` rounded up to it. Throws UsageError when the file can't be opened
/// so (a file system without O_DIRECT), Error when a read fails or ends early.
void read_direct(const std::filesystem::path& path, std::size_t size, std::byte* to);

}  // namespace sparkmpi::kernels::inference
