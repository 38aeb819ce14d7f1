#include "ledger/file_duplicates.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#define XXH_INLINE_ALL
#include <xxhash.h>

#include <algorithm>
#include <array>
#include <map>
#include <numeric>
#include <optional>

#include "base/error.hpp"
#include "ledger/file_cache.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr std::uint64_t kBlock = 4096, kBlocks = 64;
constexpr std::size_t kMostFiles = 200'000;

std::optional<FileIdentity> regular_file(const std::filesystem::path& path) {
  struct stat status {};
  if (stat(path.c_str(), &status) != 0 || !S_ISREG(status.st_mode)) return std::nullopt;
  return FileIdentity{path, status.st_dev, status.st_ino, static_cast<std::uint64_t>(status.st_size)};
}

/// Nothing when the file can't be read.
std::optional<std::uint64_t> sampled_hash(const FileIdentity& file) {
  const int descriptor = open(file.path.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) return std::nullopt;
  const CachedFile owner(descriptor, file.path);
  // Without read-ahead: the samples must not warm the cache that is to be measured.
  posix_fadvise(descriptor, 0, 0, POSIX_FADV_RANDOM);
  const std::uint64_t whole = (file.bytes + kBlock - 1) / kBlock, blocks = std::min(whole, kBlocks);
  XXH3_state_t state;
  XXH3_64bits_reset(&state);
  std::array<char, kBlock> buffer{};
  for (std::uint64_t i = 0; i < blocks; ++i) {
    const std::uint64_t block = blocks == 1 ? 0 : i * (whole - 1) / (blocks - 1);
    const ssize_t got = pread(descriptor, buffer.data(), kBlock, static_cast<off_t>(block * kBlock));
    if (got <= 0) return std::nullopt;
    XXH3_64bits_update(&state, buffer.data(), static_cast<std::size_t>(got));
  }
  return XXH3_64bits_digest(&state);
}

bool same_inode(const FileIdentity& a, const FileIdentity& b) {
  return a.device == b.device && a.inode == b.inode;
}

}  // namespace

std::string FileIdentity::id() const {
  return fmt::format("{}:{}/{}", major(device), minor(device), inode);
}

FileIdentity identify(const std::filesystem::path& path) {
  if (const auto file = regular_file(path)) return *file;
  throw Error(fmt::format("{}: is no regular file", path.string()));
}

std::vector<FileIdentity> files_below(const std::filesystem::path& directory) {
  std::vector<FileIdentity> files;
  std::error_code failed;
  using Walk = std::filesystem::recursive_directory_iterator;
  Walk entry(directory, std::filesystem::directory_options::skip_permission_denied, failed);
  if (failed) throw UsageError(fmt::format("{}: can't be listed: {}", directory.string(), failed.message()));
  for (; entry != Walk(); entry.increment(failed)) {
    if (failed) break;
    std::error_code gone;
    if (entry->is_symlink(gone)) continue;
    if (auto file = regular_file(entry->path())) files.push_back(std::move(*file));
    if (files.size() > kMostFiles)
      throw UsageError(fmt::format("{}: holds more than {} files; name a smaller directory",
                                   directory.string(), kMostFiles));
  }
  return files;
}

std::vector<std::size_t> find_duplicates(std::span<const FileIdentity> files) {
  std::vector<std::size_t> first(files.size());
  std::iota(first.begin(), first.end(), std::size_t{0});
  std::map<std::uint64_t, std::vector<std::size_t>> by_size;
  for (std::size_t i = 0; i < files.size(); ++i) {
    if (files[i].bytes > 0) by_size[files[i].bytes].push_back(i);
  }
  for (const auto& [bytes, members] : by_size) {
    const FileIdentity& any = files[members.front()];
    const bool one_inode =
        std::ranges::all_of(members, [&](std::size_t i) { return same_inode(files[i], any); });
    if (one_inode) continue;
    std::map<std::uint64_t, std::size_t> by_hash;
    for (const std::size_t i : members) {
      const auto hash = sampled_hash(files[i]);
      if (!hash) continue;
      const auto [known, fresh] = by_hash.try_emplace(*hash, i);
      if (!fresh && !same_inode(files[i], files[known->second])) first[i] = known->second;
    }
  }
  return first;
}

}  // namespace sparkmpi::ledger
