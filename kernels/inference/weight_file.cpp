#include "kernels/inference/weight_file.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

// Fast NVMe drives want some megabytes in flight; a processor that waits for one read copies another.
constexpr std::size_t kReadsInFlight = 8;
// What O_DIRECT asks of addresses, offsets and lengths on every file system in use.
constexpr std::size_t kBlock = 4096;
// A longer direct read would only need a larger buffer.
constexpr std::size_t kLongestRead = std::size_t{8} << 20;

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
      block_(mode == LoadMode::direct ? kBlock : 1),
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
}

WeightFile::~WeightFile() {
  close(descriptor_);
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
    if (got == 0 || (there < needed && there % block_ != 0))
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
  const std::uint64_t first = down(begin, block_);
  const auto before = static_cast<std::size_t>(begin - first);
  const std::size_t blocks = up(before + bytes, block_);
  std::byte* const memory = in.at_least(blocks);
  read_fully(first, {memory, blocks}, before + bytes);
  return {memory + before, bytes};
}

void WeightFile::read(std::uint64_t begin, std::span<std::byte> to) const {
  if (mode_ == LoadMode::cached) return read_fully(begin, to, to.size());
  host::BufferPool::Lease buffer(pool_);
  for (std::size_t done = 0; done < to.size();) {
    const auto bytes = view(begin + done, std::min(to.size() - done, kLongestRead), buffer);
    std::memcpy(to.data() + done, bytes.data(), bytes.size());
    done += bytes.size();
  }
}

}  // namespace sparkmpi::kernels::inference
