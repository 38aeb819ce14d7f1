// Memory as a Linux program gets it without a GPU.

#include <fcntl.h>
#include <fmt/format.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/charge/allocator.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kReadBlock = std::size_t{1} << 20;

Error refused(std::string_view call, std::size_t bytes) {
  return Error(fmt::format("{} of {} refused: {}", call, format_bytes(static_cast<double>(bytes)),
                           std::strerror(errno)));
}

class File {
 public:
  File() = default;
  File(int descriptor, std::string_view call, std::size_t bytes) : descriptor_(descriptor) {
    if (descriptor_ < 0) throw refused(call, bytes);
  }
  ~File() { reset(); }
  File(const File&) = delete;
  File& operator=(const File&) = delete;
  File& operator=(File&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int get() const { return descriptor_; }
  void reset() {
    if (descriptor_ >= 0) close(descriptor_);
    descriptor_ = -1;
  }

 private:
  int descriptor_ = -1;
};

class Malloc final : public Allocator {
 public:
  ~Malloc() override { std::free(memory_); }
  void allocate(std::size_t bytes) override {
    // One mapping for each allocation, so that free() gives it back to the kernel at once.
    mallopt(M_MMAP_THRESHOLD, 1 << 20);
    memory_ = std::malloc(bytes);
    bytes_ = bytes;
    if (memory_ == nullptr) throw refused("malloc", bytes);
  }
  bool touch_cpu() override {
    write_every_page(memory_, bytes_);
    return true;
  }
  void release() override {
    std::free(memory_);
    memory_ = nullptr;
  }

 private:
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
};

/// Everything that is a mapping: anonymous, of shared memory, or of a file.
class Mapping : public Allocator {
 public:
  ~Mapping() override { unmap(); }
  bool touch_cpu() override {
    write_every_page(memory_, bytes_);
    return true;
  }
  void release() override {
    unmap();
    file_.reset();
  }

 protected:
  void map(std::size_t bytes, int protection, int flags) {
    bytes_ = bytes;
    memory_ = mmap(nullptr, bytes, protection, flags, file_.get(), 0);
    if (memory_ == MAP_FAILED) {
      memory_ = nullptr;
      throw refused("mmap", bytes);
    }
  }
  void unmap() {
    if (memory_ != nullptr) munmap(memory_, bytes_);
    memory_ = nullptr;
  }
  void* memory_ = nullptr;
  std::size_t bytes_ = 0;
  File file_;
};

template <int kAdvice>
class Anonymous final : public Mapping {
 public:
  void allocate(std::size_t bytes) override {
    map(bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS);
    madvise(memory_, bytes, kAdvice);  // advice: without transparent huge pages it changes nothing
  }
};

class PosixShared final : public Mapping {
 public:
  ~PosixShared() override { unlink_name(); }
  void allocate(std::size_t bytes) override {
    name_ = fmt::format("/sparkmpi-charge-{}", getpid());
    file_ = File(shm_open(name_.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600), "shm_open", bytes);
    if (ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0)
      throw refused("ftruncate of shared memory", bytes);
    map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
  }
  bool touch_cpu() override {
    // A full /dev/shm would be SIGBUS at the touch; fallocate says it instead.
    if (const int status = posix_fallocate(file_.get(), 0, static_cast<off_t>(bytes_)); status != 0) {
      errno = status;
      throw refused("POSIX shared memory", bytes_);
    }
    return Mapping::touch_cpu();
  }
  void release() override {
    Mapping::release();
    unlink_name();
  }

 private:
  void unlink_name() {
    if (!name_.empty()) shm_unlink(name_.c_str());
    name_.clear();
  }
  std::string name_;
};

class MemFd final : public Mapping {
 public:
  void allocate(std::size_t bytes) override {
    file_ = File(memfd_create("sparkmpi-charge", MFD_CLOEXEC), "memfd_create", bytes);
    if (ftruncate(file_.get(), static_cast<off_t>(bytes)) != 0) throw refused("ftruncate of a memfd", bytes);
    map(bytes, PROT_READ | PROT_WRITE, MAP_SHARED);
  }
};

class FileMapping final : public Mapping {
 public:
  explicit FileMapping(std::string path) : path_(std::move(path)) {}
  void allocate(std::size_t bytes) override {
    file_ = File(open(path_.c_str(), O_RDONLY | O_CLOEXEC), "open", bytes);
    map(bytes, PROT_READ, MAP_SHARED);
  }
  bool touch_cpu() override {
    const auto* const data = static_cast<const volatile unsigned char*>(memory_);
    for (std::size_t offset = 0; offset < bytes_; offset += kPage) static_cast<void>(data[offset]);
    return true;
  }

 private:
  std::string path_;
};

/// read() into a small buffer: what grows is the page cache, or with O_DIRECT nothing.
class FileRead final : public Allocator {
 public:
  FileRead(std::string path, int flags) : path_(std::move(path)), flags_(flags) {}
  ~FileRead() override { std::free(buffer_); }
  void allocate(std::size_t bytes) override {
    bytes_ = bytes;
    const int descriptor = open(path_.c_str(), O_RDONLY | O_CLOEXEC | flags_);
    if (descriptor < 0 && errno == EINVAL && flags_ != 0)
      throw Error(fmt::format("{}: the scratch directory's file system has no O_DIRECT", kNotSupported));
    file_ = File(descriptor, "open", bytes);
    buffer_ = std::aligned_alloc(kPage, kReadBlock);
    if (buffer_ == nullptr) throw refused("a read buffer", kReadBlock);
    std::memset(buffer_, 0, kReadBlock);
  }
  bool touch_cpu() override {
    for (std::size_t done = 0; done < bytes_;) {
      const std::size_t wanted = std::min(kReadBlock, bytes_ - done);
      const ssize_t got = pread(file_.get(), buffer_, wanted, static_cast<off_t>(done));
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) throw refused("read", bytes_);
      done += static_cast<std::size_t>(got);
    }
    return true;
  }
  void release() override {
    file_.reset();
    std::free(buffer_);
    buffer_ = nullptr;
  }

 private:
  std::string path_;
  int flags_;
  std::size_t bytes_ = 0;
  void* buffer_ = nullptr;
  File file_;
};

template <class T>
std::unique_ptr<Allocator> make(const Scratch&) {
  return std::make_unique<T>();
}

constexpr std::array<AllocatorInfo, 8> kHostAllocators = {{
    {"malloc", "malloc, every page written", Needs::nothing, make<Malloc>},
    {"mmap", "anonymous mapping of 4 KiB pages", Needs::nothing, make<Anonymous<MADV_NOHUGEPAGE>>},
    {"mmap_huge", "anonymous mapping that asks for transparent huge pages", Needs::nothing,
     make<Anonymous<MADV_HUGEPAGE>>},
    {"posix_shm", "shm_open and mmap, every page written", Needs::shared_memory, make<PosixShared>},
    {"memfd", "memfd_create and mmap, every page written", Needs::nothing, make<MemFd>},
    {"file_read", "a file read with read(): page cache", Needs::file,
     [](const Scratch& scratch) -> std::unique_ptr<Allocator> {
       return std::make_unique<FileRead>(scratch.file, 0);
     }},
    {"file_mmap", "a file read through a shared mapping: page cache that is mapped", Needs::file,
     [](const Scratch& scratch) -> std::unique_ptr<Allocator> {
       return std::make_unique<FileMapping>(scratch.file);
     }},
    {"o_direct", "a file read with O_DIRECT: no page cache", Needs::file,
     [](const Scratch& scratch) -> std::unique_ptr<Allocator> {
       return std::make_unique<FileRead>(scratch.file, O_DIRECT);
     }},
}};

}  // namespace

void write_every_page(void* memory, std::size_t bytes) {
  auto* const data = static_cast<volatile unsigned char*>(memory);
  for (std::size_t offset = 0; offset < bytes; offset += kPage) data[offset] = 1;
}

std::span<const AllocatorInfo> host_allocators() {
  return kHostAllocators;
}

std::string_view to_string(Step step) {
  switch (step) {
    case Step::allocate:
      return "allocate";
    case Step::touch_cpu:
      return "touch_cpu";
    case Step::touch_gpu:
      return "touch_gpu";
    case Step::release:
      return "free";
    case Step::exit:
      return "exit";
  }
  return "unknown";
}

}  // namespace sparkmpi::kernels::charge
