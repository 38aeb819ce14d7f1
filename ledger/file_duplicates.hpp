#pragma once
// The same content at different inodes: each copy takes page cache of its own (a model inside an image's
// layer and the same model in an extracted root file system).

#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <vector>

namespace sparkmpi::ledger {

/// What tells a file from another of the same path in another place.
struct FileIdentity {
  std::filesystem::path path;
  std::uint64_t device = 0, inode = 0, bytes = 0;
  /// "254:0/1234": device and inode.
  std::string id() const;
};

/// Throws Error when there is no such regular file.
FileIdentity identify(const std::filesystem::path& path);

/// Every regular file below a directory, not following links. Throws UsageError when it can't be read, or
/// holds more than 200,000 files.
std::vector<FileIdentity> files_below(const std::filesystem::path& directory);

/// For each file the index of the first one with the same content and another (device, inode); its own index
/// where there is none, and for empty files. Contents are the same when sizes are and XXH3 over up to 64
/// blocks of 4 KiB, spread evenly from the first to the last: cheap, not a proof. Only files that share their
/// size with another are read, and only those blocks. One that can't be read is nobody's duplicate.
std::vector<std::size_t> find_duplicates(std::span<const FileIdentity> files);

}  // namespace sparkmpi::ledger
