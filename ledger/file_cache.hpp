#pragma once
// The page cache of one file: how much of it is there, filling it, and asking the kernel to let it go.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "base/error.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// A file open for reading. Throws Error, naming the path, when it can't be opened.
class CachedFile {
 public:
  explicit CachedFile(const std::filesystem::path& path);
  /// Takes over an open descriptor. @param path for messages.
  CachedFile(int descriptor, std::filesystem::path path);
  ~CachedFile();
  CachedFile(const CachedFile&) = delete;             ///< owns a descriptor
  CachedFile& operator=(const CachedFile&) = delete;  ///< owns a descriptor

  int descriptor() const { return descriptor_; }
  const std::filesystem::path& path() const { return path_; }
  std::uint64_t size() const;

  /// Bytes in the page cache. Asks cachestat(2) on file systems whose inode itself holds the pages,
  /// mincore(2) otherwise and on older kernels. Throws Error where neither tells the truth to this user.
  std::uint64_t resident() const;
  /// cachestat's answer (Linux 6.5 and later); nothing where the call is missing, refused, or asks the wrong
  /// inode: on overlayfs the pages belong to the file below, and the call says 0.
  std::optional<std::uint64_t> resident_by_cachestat() const;
  /// mincore's answer; nothing for a file that this user neither owns nor may write, of which the kernel says
  /// "all resident" (mm/mincore.c, can_do_mincore).
  std::optional<std::uint64_t> resident_by_mincore() const;

  /// Reads the whole file through the page cache, and again, at most three times in all, while some of it is
  /// not there: the kernel may take pages back while others fill memory. @param stop ends it early when it
  /// says true. Throws Error.
  void fill(const std::function<bool()>& stop = {}) const;
  /// Writes dirty pages back and lets clean ones go (posix_fadvise DONTNEED; pages that somebody has mapped
  /// or locked stay). Needs no root.
  void drop() const;

 private:
  Error failed(std::string_view call) const;
  std::optional<std::uint64_t> known_residency() const;
  void read_through(const std::function<bool()>& stop) const;
  int descriptor_;
  std::filesystem::path path_;
};

/// CachedFile(file).resident().
std::uint64_t resident_bytes(const std::filesystem::path& file);

/// CachedFile(file).drop(), and what is still resident.
std::uint64_t drop_file_cache(const std::filesystem::path& file);

/// The files that this process has mapped (/proc/self/maps): the program and its libraries, each once,
/// sorted.
std::vector<std::filesystem::path> mapped_files(const FileRoot& root = {});

}  // namespace sparkmpi::ledger
