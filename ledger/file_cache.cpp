#include "ledger/file_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <set>

#include "ledger/field_file.hpp"

namespace sparkmpi::ledger {
namespace {

// include/uapi/linux/mman.h; the same number on every architecture. Older C libraries have neither.
constexpr long kCachestat = 451;
struct CachestatRange {
  std::uint64_t offset, length;  ///< length 0: to the end
};
struct Cachestat {
  std::uint64_t cache, dirty, writeback, evicted, recently_evicted;  ///< pages
};

constexpr int kMostPasses = 3;
constexpr uid_t kOverflowUid = 65534;  ///< an owner outside this user namespace

std::uint64_t page_size() {
  return static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
}

/// File systems whose own inodes hold their pages (include/uapi/linux/magic.h). A stacked one forwards reads
/// to another inode, and cachestat(2) asks the one that was opened.
bool inode_holds_pages(int descriptor) {
  constexpr std::array<long, 7> kMagic = {0xEF53,     /* ext2, 3, 4 */
                                          0x58465342, /* xfs */
                                          0x9123683E, /* btrfs */
                                          0xF2F52010, /* f2fs */
                                          0x6969,     /* nfs */
                                          0x01021994, /* tmpfs */
                                          0x0BD00BD0 /* lustre */};
  struct statfs system {};
  return fstatfs(descriptor, &system) == 0 && std::ranges::find(kMagic, system.f_type) != kMagic.end();
}

bool mincore_is_honest(int descriptor, const struct stat& status) {
  const bool owned = status.st_uid == geteuid() || (geteuid() == 0 && status.st_uid != kOverflowUid);
  return owned || access(fmt::format("/proc/self/fd/{}", descriptor).c_str(), W_OK) == 0;
}

}  // namespace

CachedFile::CachedFile(const std::filesystem::path& path)
    : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)), path_(path) {
  if (descriptor_ < 0) throw failed("open");
}

CachedFile::CachedFile(int descriptor, std::filesystem::path path)
    : descriptor_(descriptor), path_(std::move(path)) {}

CachedFile::~CachedFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

Error CachedFile::failed(std::string_view call) const {
  return Error(fmt::format("{}: {} failed: {}", path_.string(), call, std::strerror(errno)));
}

std::uint64_t CachedFile::size() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) throw failed("stat");
  return static_cast<std::uint64_t>(status.st_size);
}

std::optional<std::uint64_t> CachedFile::resident_by_cachestat() const {
  if (!inode_holds_pages(descriptor_)) return std::nullopt;
  CachestatRange all{0, 0};
  Cachestat found{};
  if (syscall(kCachestat, descriptor_, &all, &found, 0U) != 0) return std::nullopt;
  return std::min(found.cache * page_size(), size());
}

std::optional<std::uint64_t> CachedFile::resident_by_mincore() const {
  struct stat status {};
  if (fstat(descriptor_, &status) != 0) throw failed("stat");
  if (!mincore_is_honest(descriptor_, status)) return std::nullopt;
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return 0;
  void* const mapping = mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor_, 0);
  if (mapping == MAP_FAILED) throw failed("mmap");
  const std::size_t page = page_size();
  std::vector<unsigned char> pages((size + page - 1) / page);
  const int answer = mincore(mapping, size, pages.data());
  const Error failure = failed("mincore");
  munmap(mapping, size);
  if (answer != 0) throw failure;
  const auto resident = std::ranges::count_if(pages, [](unsigned char flags) { return (flags & 1U) != 0; });
  return std::min<std::uint64_t>(static_cast<std::uint64_t>(resident) * page, size);
}

std::optional<std::uint64_t> CachedFile::known_residency() const {
  const auto bytes = resident_by_cachestat();
  return bytes ? bytes : resident_by_mincore();
}

std::uint64_t CachedFile::resident() const {
  if (const auto bytes = known_residency()) return *bytes;
  throw Error(fmt::format(
      "{}: the kernel hides page-cache residency of files that this user neither owns nor may write",
      path_.string()));
}

void CachedFile::fill(const std::function<bool()>& stop) const {
  for (int pass = 0; pass < kMostPasses; ++pass) {
    read_through(stop);
    const auto resident = known_residency();
    if (!resident || *resident >= size() || (stop && stop())) return;
  }
}

void CachedFile::read_through(const std::function<bool()>& stop) const {
  std::vector<char> buffer(std::size_t{1} << 20);
  off_t offset = 0;
  while (!stop || !stop()) {
    const ssize_t got = pread(descriptor_, buffer.data(), buffer.size(), offset);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw failed("read");
    if (got == 0) return;
    offset += got;
  }
}

void CachedFile::drop() const {
  // Dirty pages can't be dropped; what fails here shows up as still resident, which is what callers look at.
  fdatasync(descriptor_);
  posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
}

std::uint64_t resident_bytes(const std::filesystem::path& file) {
  return CachedFile(file).resident();
}

std::uint64_t drop_file_cache(const std::filesystem::path& file) {
  const CachedFile open(file);
  open.drop();
  return open.resident();
}

std::vector<std::filesystem::path> mapped_files(const FileRoot& root) {
  const std::string content = read_text(root / "proc/self/maps").value_or("");
  std::set<std::filesystem::path> files;
  std::string_view text = content;
  while (!text.empty()) {
    const std::string_view line = next_line(text);
    const auto slash = line.find(" /"), permissions = line.find(' ');
    if (slash == std::string_view::npos) continue;
    // "r-xp": private. What is mapped to be shared with others is data, not part of the program.
    if (permissions + 4 >= line.size() || line[permissions + 4] != 'p') continue;
    const std::filesystem::path file(line.substr(slash + 1));
    std::error_code gone;
    // Leaves out devices and files that were deleted since.
    if (!line.substr(slash + 1).starts_with("/dev/") && std::filesystem::is_regular_file(file, gone))
      files.insert(file);
  }
  return {files.begin(), files.end()};
}

}  // namespace sparkmpi::ledger
