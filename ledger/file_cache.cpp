#include "ledger/file_cache.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <vector>

#include "base/error.hpp"

namespace sparkmpi::ledger {
namespace {

class OpenFile {
 public:
  explicit OpenFile(const std::filesystem::path& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC)), path_(path) {
    if (descriptor_ < 0) throw failed("open");
  }
  ~OpenFile() { close(descriptor_); }
  OpenFile(const OpenFile&) = delete;
  OpenFile& operator=(const OpenFile&) = delete;

  int get() const { return descriptor_; }
  struct stat status() const {
    struct stat status {};
    if (fstat(descriptor_, &status) != 0) throw failed("stat");
    return status;
  }
  Error failed(std::string_view call) const {
    return Error(fmt::format("{}: {} failed: {}", path_.string(), call, std::strerror(errno)));
  }

 private:
  int descriptor_;
  std::filesystem::path path_;
};

std::uint64_t resident_bytes(const OpenFile& file, const std::filesystem::path& path) {
  const struct stat status = file.status();
  // mm/mincore.c, can_do_mincore(): owner, or write permission.
  if (status.st_uid != geteuid() && geteuid() != 0 && access(path.c_str(), W_OK) != 0) {
    throw Error(fmt::format(
        "{}: the kernel hides page-cache residency of files that this user neither owns nor may write",
        path.string()));
  }
  const auto size = static_cast<std::size_t>(status.st_size);
  if (size == 0) return 0;
  void* const mapping = mmap(nullptr, size, PROT_READ, MAP_SHARED, file.get(), 0);
  if (mapping == MAP_FAILED) throw file.failed("mmap");
  const auto page = static_cast<std::size_t>(sysconf(_SC_PAGESIZE));
  std::vector<unsigned char> pages((size + page - 1) / page);
  const int answer = mincore(mapping, size, pages.data());
  const Error failure = file.failed("mincore");
  munmap(mapping, size);
  if (answer != 0) throw failure;
  const auto resident = std::ranges::count_if(pages, [](unsigned char flags) { return (flags & 1U) != 0; });
  return std::min(static_cast<std::uint64_t>(resident) * page, static_cast<std::uint64_t>(size));
}

}  // namespace

std::uint64_t resident_bytes(const std::filesystem::path& file) {
  return resident_bytes(OpenFile(file), file);
}

std::uint64_t drop_file_cache(const std::filesystem::path& file) {
  const OpenFile open(file);
  fdatasync(open.get());  // dirty pages can't be dropped; what fails to be written shows up as still resident
  posix_fadvise(open.get(), 0, 0, POSIX_FADV_DONTNEED);
  return resident_bytes(open, file);
}

}  // namespace sparkmpi::ledger
