// Memory as a Linux program gets it without a GPU.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/mman.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/bytes.hpp"
#include "kernels/pressure/allocator.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

AllocationRefused refused(std::string_view call, std::size_t bytes, int error) {
  return AllocationRefused(
      fmt::format("{} of {} more: {}", call, format_bytes(static_cast<double>(bytes)), std::strerror(error)));
}

/// Blocks of many MiB are mappings of their own in every malloc, so that free() gives them back at once.
class Malloc final : public Block {
 public:
  explicit Malloc(std::size_t bytes) : memory_(std::malloc(bytes)) {
    if (memory_ == nullptr) throw refused("malloc", bytes, errno);
  }
  ~Malloc() override { std::free(memory_); }
  Malloc(const Malloc&) = delete;             ///< owns memory
  Malloc& operator=(const Malloc&) = delete;  ///< owns memory
  void touch(std::size_t offset, std::size_t bytes) override {
    write_every_page(static_cast<std::byte*>(memory_) + offset, bytes);
  }

 private:
  void* memory_;
};

class Mapping : public Block {
 public:
  Mapping(std::size_t bytes, int flags, int file = -1)
      : memory_(mmap(nullptr, bytes, PROT_READ | PROT_WRITE, flags, file, 0)), bytes_(bytes) {
    if (memory_ == MAP_FAILED) throw refused("mmap", bytes, errno);
  }
  ~Mapping() override { munmap(memory_, bytes_); }
  Mapping(const Mapping&) = delete;             ///< owns a mapping
  Mapping& operator=(const Mapping&) = delete;  ///< owns a mapping
  void touch(std::size_t offset, std::size_t bytes) override {
    write_every_page(static_cast<std::byte*>(memory_) + offset, bytes);
  }
  void advise(int advice) {
    madvise(memory_, bytes_, advice);  // advice: without transparent huge pages it changes nothing
  }

 private:
  void* memory_;
  std::size_t bytes_;
};

template <int kAdvice>
std::unique_ptr<Block> anonymous(std::size_t bytes) {
  auto block = std::make_unique<Mapping>(bytes, MAP_PRIVATE | MAP_ANONYMOUS);
  block->advise(kAdvice);
  return block;
}

/// Without a name from the first moment on, so that a killed process leaves nothing in /dev/shm.
class SharedObject {
 public:
  explicit SharedObject(std::size_t bytes) {
    const std::string name = fmt::format("/sparkmpi-pressure-{}", getpid());
    descriptor_ = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    if (descriptor_ < 0) throw refused("shm_open", bytes, errno);
    shm_unlink(name.c_str());
    if (ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0)
      fail("ftruncate of shared memory", bytes, errno);
    // A full /dev/shm would be SIGBUS at the touch; fallocate says it instead.
    if (const int error = posix_fallocate(descriptor_, 0, static_cast<off_t>(bytes)); error != 0)
      fail("POSIX shared memory", bytes, error);
  }
  ~SharedObject() { close(descriptor_); }
  SharedObject(const SharedObject&) = delete;             ///< owns a descriptor
  SharedObject& operator=(const SharedObject&) = delete;  ///< owns a descriptor
  int get() const { return descriptor_; }

 private:
  [[noreturn]] void fail(std::string_view call, std::size_t bytes, int error) const {
    close(descriptor_);
    throw refused(call, bytes, error);
  }
  int descriptor_ = -1;
};

constexpr std::array<AllocatorInfo, 5> kHostAllocators = {{
    {.name = "malloc",
     .what = "malloc, every page written",
     .allocate = [](std::size_t bytes) -> std::unique_ptr<Block> { return std::make_unique<Malloc>(bytes); }},
    {.name = "mmap", .what = "anonymous mapping of ordinary pages", .allocate = anonymous<MADV_NOHUGEPAGE>},
    {.name = "mmap_huge",
     .what = "anonymous mapping that asks for transparent huge pages",
     .allocate = anonymous<MADV_HUGEPAGE>},
    {.name = "hugetlb",
     .what = "anonymous mapping from the pool of reserved huge pages (vm.nr_hugepages)",
     .allocate = [](std::size_t bytes) -> std::unique_ptr<Block> {
       return std::make_unique<Mapping>(bytes, MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB);
     }},
    {.name = "posix_shm",
     .what = "shm_open and mmap, every page written",
     .allocate = [](std::size_t bytes) -> std::unique_ptr<Block> {
       const SharedObject object(bytes);
       return std::make_unique<Mapping>(bytes, MAP_SHARED, object.get());
     }},
}};

}  // namespace

std::span<const AllocatorInfo> host_allocators() {
  return kHostAllocators;
}

}  // namespace sparkmpi::kernels::pressure
