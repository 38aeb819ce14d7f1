#include "ledger/injected_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstdlib>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "ledger/cgroup.hpp"
#include "ledger/meminfo.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr double kFloorPart = 0.05, kFloorBytes = 1024.0 * 1024 * 1024;

/// Makes the file and takes its name away, so that nothing is left behind whatever happens.
int make_unnamed(std::uint64_t bytes, const std::filesystem::path& directory) {
  std::string name = (directory / "sparkmpi-inject-XXXXXX").string();
  const int descriptor = mkostemp(name.data(), O_CLOEXEC);
  if (descriptor < 0)
    throw Error(fmt::format("{}: no file can be made here: {}", directory.string(), std::strerror(errno)));
  unlink(name.c_str());
  if (ftruncate(descriptor, static_cast<off_t>(bytes)) == 0) return descriptor;
  const std::string why = std::strerror(errno);
  close(descriptor);
  throw Error(fmt::format("{}: a file of {} can't be made here: {}", directory.string(),
                          format_bytes(static_cast<double>(bytes)), why));
}

bool keeps_holes_in_cache(const std::filesystem::path& directory) {
  constexpr decltype(statfs::f_type) kTmpfs = 0x01021994, kRamfs = 0x858458f6;
  struct statfs system {};
  return statfs(directory.c_str(), &system) == 0 && system.f_type != kTmpfs && system.f_type != kRamfs &&
         access(directory.c_str(), W_OK | X_OK) == 0;
}

double meminfo(const std::vector<Reading>& readings, std::string_view name) {
  const auto found = std::ranges::find(readings, name, &Reading::name);
  return found == readings.end() ? std::nan("") : found->value;
}

}  // namespace

InjectedFile::InjectedFile(std::uint64_t bytes, const std::filesystem::path& directory)
    : bytes_(bytes),
      file_(std::make_unique<CachedFile>(make_unnamed(bytes, directory), directory / "the injected file")) {}

std::filesystem::path injection_directory() {
  std::vector<std::filesystem::path> candidates = {"/var/tmp", "/tmp", "."};
  const char* const chosen = std::getenv("TMPDIR");
  if (chosen != nullptr && *chosen != '\0') candidates.insert(candidates.begin(), chosen);
  for (const std::filesystem::path& directory : candidates) {
    if (keeps_holes_in_cache(directory)) return directory;
  }
  throw UsageError(
      "injecting page cache needs a writable directory that is no tmpfs; set TMPDIR to one on a disk");
}

void require_room_for_injection(std::uint64_t bytes, std::string_view option, const FileRoot& root) {
  const auto wanted = static_cast<double>(bytes);
  std::vector<Reading> readings;
  Meminfo(root).read(readings);
  const double available = meminfo(readings, "meminfo.MemAvailable");
  const double floor = std::max(kFloorBytes, kFloorPart * meminfo(readings, "meminfo.MemTotal"));
  if (wanted > available - floor) {
    throw UsageError(fmt::format("{} {}: {} are available and {} of them stay free", option,
                                 format_bytes(wanted), format_bytes(available), format_bytes(floor)));
  }
  const double limit = smallest_cgroup_limit(locate_memory_cgroup(root));
  if (wanted > limit)
    throw UsageError(fmt::format("{} {}: the memory cgroup's limit is {}", option, format_bytes(wanted),
                                 format_bytes(limit)));
}

}  // namespace sparkmpi::ledger
