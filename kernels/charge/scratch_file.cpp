#include "kernels/charge/scratch_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <random>
#include <thread>
#include <vector>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "ledger/file_cache.hpp"

namespace sparkmpi::kernels::charge {
namespace {

struct FileSystem {
  std::uint32_t magic;
  std::string_view name;
};
constexpr std::uint32_t kXfs = 0x58465342, kZfs = 0x2fc12fc1, kLustre = 0x0bd00bd3, kGpfs = 0x47504653;
constexpr std::array<FileSystem, 10> kKnown = {{{TMPFS_MAGIC, "tmpfs"},
                                                {RAMFS_MAGIC, "ramfs"},
                                                {EXT4_SUPER_MAGIC, "ext4"},
                                                {BTRFS_SUPER_MAGIC, "btrfs"},
                                                {OVERLAYFS_SUPER_MAGIC, "overlay"},
                                                {NFS_SUPER_MAGIC, "nfs"},
                                                {kXfs, "xfs"},
                                                {kZfs, "zfs"},
                                                {kLustre, "lustre"},
                                                {kGpfs, "gpfs"}}};

bool in_memory(std::string_view file_system) {
  return file_system == "tmpfs" || file_system == "ramfs";
}

/// Empty when the directory will do.
std::string objection_to(const std::filesystem::path& directory) {
  if (access(directory.c_str(), W_OK | X_OK) != 0) return std::strerror(errno);
  const std::string kind = file_system_of(directory);
  return in_memory(kind)
             ? fmt::format("{} keeps its files in memory, so that reading them charges nothing", kind)
             : std::string();
}

}  // namespace

std::string file_system_of(const std::filesystem::path& directory) {
  struct statfs information {};
  if (statfs(directory.c_str(), &information) != 0) return "unknown";
  const auto magic = static_cast<std::uint32_t>(information.f_type);
  const auto found = std::ranges::find(kKnown, magic, &FileSystem::magic);
  return found == kKnown.end() ? fmt::format("{:#x}", magic) : std::string(found->name);
}

std::filesystem::path scratch_directory(const std::string& wanted) {
  if (!wanted.empty()) {
    if (const std::string objection = objection_to(wanted); !objection.empty())
      throw UsageError(fmt::format("--scratch {}: {}; name a directory on a disk", wanted, objection));
    return wanted;
  }
  const char* const temporary = std::getenv("TMPDIR");
  for (const char* const directory : {".", temporary, "/var/tmp", "/tmp"}) {
    if (directory != nullptr && objection_to(directory).empty()) return directory;
  }
  throw UsageError(
      "no directory for the scratch file: the working directory, $TMPDIR, /var/tmp and /tmp are in memory or "
      "can't be written; name one with --scratch");
}

ScratchFile::ScratchFile(const std::filesystem::path& directory, std::size_t bytes) : bytes_(bytes) {
  std::string name = (directory / "sparkmpi-charge-XXXXXX").string();
  descriptor_ = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor_ < 0)
    throw Error(fmt::format("no scratch file in {}: {}", directory.string(), std::strerror(errno)));
  unlink(name.c_str());
  path_ = fmt::format("/proc/{}/fd/{}", getpid(), descriptor_);
  // Noise, since some file systems keep zeros and repetitions without blocks.
  std::mt19937_64 random(bytes);
  std::vector<std::uint64_t> block((std::size_t{1} << 20U) / sizeof(std::uint64_t));
  std::ranges::generate(block, random);
  for (std::size_t done = 0; done < bytes;) {
    block[0] = done;
    const std::size_t wanted = std::min(block.size() * sizeof block[0], bytes - done);
    const ssize_t written = write(descriptor_, block.data(), wanted);
    if (written < 0 && errno == EINTR) continue;
    if (written <= 0) {
      const int error = errno;
      close(descriptor_);
      throw Error(fmt::format("scratch file of {} in {}: {}", format_bytes(static_cast<double>(bytes)),
                              directory.string(), std::strerror(error)));
    }
    done += static_cast<std::size_t>(written);
  }
}

ScratchFile::~ScratchFile() {
  close(descriptor_);
}

void ScratchFile::drop_from_cache() const {
  // Pages that a core still holds in a private list to be freed need a second try.
  std::uint64_t resident = 0;
  for (int attempt = 0; attempt < 10; ++attempt) {
    resident = ledger::drop_file_cache(path_);
    if (resident == 0) return;
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  throw Error(fmt::format("{} of the scratch file stay in the page cache",
                          format_bytes(static_cast<double>(resident))));
}

}  // namespace sparkmpi::kernels::charge
