#pragma once
// Page cache of a known size that has nothing to do with the workload: what other people's files are on a
// node.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "ledger/file_cache.hpp"

namespace sparkmpi::ledger {

/// A file without a name, all hole: reading it fills the page cache with as many ordinary clean pages and
/// touches no disk. Its pages are free again when this object or the process is gone, however it ended.
class InjectedFile {
 public:
  /// Throws Error when `directory` takes no such file.
  InjectedFile(std::uint64_t bytes, const std::filesystem::path& directory);

  std::uint64_t bytes() const { return bytes_; }
  /// Reads all of it. @param stop ends it early when it says true. Throws Error.
  void fill(const std::function<bool()>& stop = {}) const { file_->fill(stop); }
  std::uint64_t resident() const { return file_->resident(); }
  void drop() const { file_->drop(); }

 private:
  std::uint64_t bytes_;
  std::unique_ptr<CachedFile> file_;
};

/// The first of $TMPDIR, /var/tmp, /tmp and the working directory that can be written and is no tmpfs, whose
/// holes take no pages. Throws UsageError when none is.
std::filesystem::path injection_directory();

/// Refuses sizes that would leave less than 5 % of memory, or 1 GiB, available, or more than the memory
/// cgroup allows. @param option names the option. Throws UsageError.
void require_room_for_injection(std::uint64_t bytes, std::string_view option, const FileRoot& root = {});

}  // namespace sparkmpi::ledger
