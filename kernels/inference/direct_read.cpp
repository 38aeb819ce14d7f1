#include "kernels/inference/direct_read.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr std::size_t kPiece = std::size_t{8} << 20;
constexpr std::size_t kReadsInFlight = 16;  // what keeps a fast NVMe drive busy

class File {
 public:
  explicit File(const std::filesystem::path& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT)) {
    if (descriptor_ < 0) {
      throw UsageError(fmt::format("{}: can't be opened with O_DIRECT: {}; use --load mmap", path.string(),
                                   std::strerror(errno)));
    }
  }
  ~File() { close(descriptor_); }
  File(const File&) = delete;             ///< owns a descriptor
  File& operator=(const File&) = delete;  ///< owns a descriptor
  int descriptor() const { return descriptor_; }

 private:
  int descriptor_;
};

/// One piece; 0, or errno's value, or -1 when the file ended early.
int read_piece(int descriptor, std::size_t size, std::size_t first, std::byte* to) {
  const std::size_t end = std::min(size, first + kPiece);
  while (first < end) {
    const std::size_t wanted = (end - first + kDirectAlignment - 1) / kDirectAlignment * kDirectAlignment;
    const ssize_t got = pread(descriptor, to + first, wanted, static_cast<off_t>(first));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) return errno;
    if (got == 0) return -1;
    first += static_cast<std::size_t>(got);
    // Short of the file's end a direct read stops at block boundaries.
    if (first < end && first % kDirectAlignment != 0) return -1;
  }
  return 0;
}

}  // namespace

void read_direct(const std::filesystem::path& path, std::size_t size, std::byte* to) {
  const File file(path);
  std::atomic<std::size_t> next{0};
  std::atomic<int> failure{0};
  const auto work = [&] {
    for (std::size_t at = next.fetch_add(kPiece); at < size && failure == 0; at = next.fetch_add(kPiece)) {
      if (const int problem = read_piece(file.descriptor(), size, at, to); problem != 0) failure = problem;
    }
  };
  std::vector<std::jthread> readers;
  for (std::size_t i = 1; i < std::min(kReadsInFlight, (size + kPiece - 1) / kPiece); ++i)
    readers.emplace_back(work);
  work();
  readers.clear();
  if (failure > 0) throw Error(fmt::format("{}: {}", path.string(), std::strerror(failure)));
  if (failure < 0) throw Error(fmt::format("{}: ended early; is it being written?", path.string()));
}

}  // namespace sparkmpi::kernels::inference
