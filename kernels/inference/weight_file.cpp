#include "kernels/inference/weight_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

// Fast NVMe drives want some megabytes in flight; a processor that waits for one read copies another.
constexpr std::size_t kReadsInFlight = 8;
// What direct reads ask for where the system does not say (before Linux 6.1): it does on every file system.
constexpr std::size_t kSafeAlignment = 4096;
// Of a read by way of a buffer: with the rest of its first and last block within a huge page.
constexpr std::size_t kBufferedRead = (std::size_t{2} << 20) - 2 * kSafeAlignment;

constexpr std::uint64_t down(std::uint64_t value, std::uint64_t grain) {
  return value / grain * grain;
}
constexpr std::uint64_t up(std::uint64_t value, std::uint64_t grain) {
  return down(value + grain - 1, grain);
}

}  // namespace

std::vector<int> reader_cpus(const std::vector<int>& cpus) {
  const std::size_t each = std::max<std::size_t>(1, kReadsInFlight / cpus.size());
  std::vector<int> readers;
  for (const int cpu : cpus) readers.insert(readers.end(), each, cpu);
  return readers;
}

WeightFile::WeightFile(std::filesystem::path path, LoadMode mode, host::BufferPool& pool)
    : path_(std::move(path)),
      mode_(mode),
      pool_(pool),
      descriptor_(open(path_.c_str(), O_RDONLY | O_CLOEXEC | (mode == LoadMode::direct ? O_DIRECT : 0))) {
  if (descriptor_ < 0) {
    const int problem = errno;
    const bool refused = mode == LoadMode::direct && problem == EINVAL;
    throw UsageError(fmt::format("{}: can't be opened{}: {}{}", path_.string(),
                                 refused ? " with O_DIRECT" : "", std::strerror(problem),
                                 refused ? "; use --load cached" : ""));
  }
  if (fstat(descriptor_, &opened_) != 0 || !S_ISREG(opened_.st_mode) || opened_.st_size == 0) {
    close(descriptor_);
    throw UsageError(fmt::format("{}: is empty or no file", path_.string()));
  }
  if (mode == LoadMode::direct) alignment_ = alignment();
}

WeightFile::~WeightFile() {
  close(descriptor_);
}

WeightFile::Alignment WeightFile::alignment() const {
#ifdef STATX_DIOALIGN
  struct statx told {};
  if (statx(descriptor_, "", AT_EMPTY_PATH, STATX_DIOALIGN, &told) == 0 &&
      (told.stx_mask & STATX_DIOALIGN) != 0 && told.stx_dio_mem_align > 0 && told.stx_dio_offset_align > 0) {
    return {told.stx_dio_offset_align, told.stx_dio_mem_align};
  }
#endif
  return {kSafeAlignment, kSafeAlignment};
}

/// @param to a direct read's whole blocks, the last of which may end behind the file. @param needed bytes of
/// them that have to come.
void WeightFile::read_fully(std::uint64_t begin, std::span<std::byte> to, std::size_t needed) const {
  std::size_t there = 0;
  while (there < needed) {
    const ssize_t got =
        pread(descriptor_, to.data() + there, to.size() - there, static_cast<off_t>(begin + there));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw Error(fmt::format("{}: {}", path_.string(), std::strerror(errno)));
    there += static_cast<std::size_t>(got);
    // Short of the file's end a direct read stops at the end of a block.
    if (got == 0 || (there < needed && there % alignment_.offset != 0))
      throw Error(fmt::format("{}: ended early; is it being written?", path_.string()));
  }
  check_unchanged();
}

void WeightFile::check_unchanged() const {
  struct stat now {};
  if (fstat(descriptor_, &now) != 0) throw Error(fmt::format("{}: {}", path_.string(), std::strerror(errno)));
  if (now.st_size != opened_.st_size || now.st_mtim.tv_sec != opened_.st_mtim.tv_sec ||
      now.st_mtim.tv_nsec != opened_.st_mtim.tv_nsec)
    throw Error(fmt::format("{}: was changed while it was read", path_.string()));
}

std::span<const std::byte> WeightFile::view(std::uint64_t begin, std::size_t bytes,
                                            host::BufferPool::Lease& in) const {
  const std::uint64_t first = down(begin, alignment_.offset);
  const auto before = static_cast<std::size_t>(begin - first);
  const std::size_t blocks = up(before + bytes, alignment_.offset);
  std::byte* const memory = in.at_least(blocks);
  read_fully(first, {memory, blocks}, before + bytes);
  return {memory + before, bytes};
}

/// A direct read with whole blocks where they belong and what is around them aside. Returns how many bytes of
/// `to` are there, from the first on; 0 when this device can't write to that address.
std::size_t WeightFile::read_in_place(std::uint64_t begin, std::span<std::byte> to) const {
  const std::size_t block = alignment_.offset;
  const std::uint64_t end = begin + to.size(), first = down(begin, block), inner = up(begin, block),
                      inner_end = down(end, block);
  const auto head = static_cast<std::size_t>(inner - begin);
  if (inner >= inner_end || reinterpret_cast<std::uintptr_t>(to.data() + head) % alignment_.memory != 0)
    return 0;
  host::BufferPool::Lease aside(pool_);
  std::byte* const memory = aside.at_least(2 * block);
  std::array<iovec, 3> parts{};
  int count = 0;
  if (head > 0) parts[static_cast<std::size_t>(count++)] = {memory, block};
  parts[static_cast<std::size_t>(count++)] = {to.data() + head, static_cast<std::size_t>(inner_end - inner)};
  if (end > inner_end) parts[static_cast<std::size_t>(count++)] = {memory + block, block};
  const ssize_t got = preadv(descriptor_, parts.data(), count, static_cast<off_t>(first));
  const std::uint64_t reached = std::min(end, first + static_cast<std::uint64_t>(std::max<ssize_t>(got, 0)));
  if (reached < inner) return 0;  // whatever it was, an ordinary read says it
  std::memcpy(to.data(), memory + (begin - first), head);
  if (reached > inner_end)
    std::memcpy(to.data() + (inner_end - begin), memory + block,
                static_cast<std::size_t>(reached - inner_end));
  check_unchanged();
  return static_cast<std::size_t>(reached - begin);
}

void WeightFile::read(std::uint64_t begin, std::span<std::byte> to) const {
  if (mode_ == LoadMode::cached) return read_fully(begin, to, to.size());
  while (!to.empty()) {
    std::size_t done = read_in_place(begin, to);
    if (done == 0) {
      host::BufferPool::Lease buffer(pool_);
      const auto bytes = view(begin, std::min(to.size(), kBufferedRead), buffer);
      std::memcpy(to.data(), bytes.data(), bytes.size());
      done = bytes.size();
    }
    begin += done;
    to = to.subspan(done);
  }
}

}  // namespace sparkmpi::kernels::inference
