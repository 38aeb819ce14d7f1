#pragma once
// The page cache of one file: how much of it is there, and asking the kernel to let it go.

#include <cstdint>
#include <filesystem>

namespace sparkmpi::ledger {

/// Bytes of the file in the page cache, by mincore(2) on a mapping of it. The kernel answers truthfully only
/// for files this user owns or may write; for others it says "all resident", so foreign files throw. Throws
/// Error when the file can't be read.
std::uint64_t resident_bytes(const std::filesystem::path& file);

/// Writes dirty pages back and asks the kernel to drop the file's clean pages (posix_fadvise DONTNEED; pages
/// that are mapped or locked by somebody stay). Needs no root. Returns what is still resident. Throws Error
/// when the file can't be opened.
std::uint64_t drop_file_cache(const std::filesystem::path& file);

}  // namespace sparkmpi::ledger
