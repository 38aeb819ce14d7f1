#include "kernels/host/buffer.hpp"

#include <fmt/format.h>
#include <sys/mman.h>

#include <cerrno>
#include <cstring>
#include <utility>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sparkmpi::kernels::host {
namespace {

constexpr std::size_t kHugePage = std::size_t{2} << 20;

}  // namespace

Buffer::Buffer(std::size_t bytes) : size_(bytes) {
  if (bytes == 0) return;
  void* mapping = mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) {
    throw Error(fmt::format("cannot allocate {} of host memory: {}; ask for less, or raise the limit",
                            format_bytes(static_cast<double>(bytes)), std::strerror(errno)));
  }
  data_ = static_cast<std::byte*>(mapping);
  // Advice only: a kernel without transparent huge pages refuses, and the memory works all the same.
  if (bytes >= kHugePage) madvise(mapping, bytes, MADV_HUGEPAGE);
}

Buffer::~Buffer() {
  if (data_ != nullptr) munmap(data_, size_);
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

}  // namespace sparkmpi::kernels::host
