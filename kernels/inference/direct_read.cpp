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
#include <utility>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr std::size_t kPiece = std::size_t{8} << 20;
// Pieces of this size keep a fast NVMe drive busy with few of them; more threads would only take turns at
// having their memory mapped in.
constexpr std::size_t kReadsInFlight = 4;

class Descriptor {
 public:
  explicit Descriptor(const std::filesystem::path& path)
      : descriptor_(open(path.c_str(), O_RDONLY | O_CLOEXEC | O_DIRECT)) {
    if (descriptor_ < 0) {
      throw UsageError(fmt::format("{}: can't be opened with O_DIRECT: {}; use --load mmap", path.string(),
                                   std::strerror(errno)));
    }
  }
  ~Descriptor() { close(descriptor_); }
  Descriptor(const Descriptor&) = delete;             ///< owns it
  Descriptor& operator=(const Descriptor&) = delete;  ///< owns it
  int get() const { return descriptor_; }

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

std::size_t pieces_in(std::size_t size) {
  return (size + kPiece - 1) / kPiece;
}

}  // namespace

class DirectRead::State {
 public:
  explicit State(std::vector<File> files) : files_(std::move(files)) {
    for (const File& file : files_) {
      descriptors_.push_back(std::make_unique<Descriptor>(file.path));
      arrived_.emplace_back(pieces_in(file.size));
    }
    // The beginnings first: they say what is where.
    for (std::size_t file = 0; file < files_.size(); ++file) {
      if (!arrived_[file].empty()) order_.emplace_back(file, 0);
    }
    for (std::size_t file = 0; file < files_.size(); ++file) {
      for (std::size_t piece = 1; piece < arrived_[file].size(); ++piece) order_.emplace_back(file, piece);
    }
    for (std::size_t i = 0; i < std::min(kReadsInFlight, order_.size()); ++i)
      readers_.emplace_back([this] { read(); });
  }
  ~State() { stopped_ = true; }

  void wait(std::size_t file, std::size_t begin, std::size_t end) const {
    const std::string& path = files_[file].path.native();
    for (std::size_t piece = begin / kPiece; piece < pieces_in(end); ++piece) {
      const std::atomic<int>& state = arrived_[file][piece];
      state.wait(kPending);
      if (state > 0) throw Error(fmt::format("{}: {}", path, std::strerror(state)));
      if (state == kEndedEarly) throw Error(fmt::format("{}: ended early; is it being written?", path));
    }
  }

 private:
  // States of a piece besides errno's values; kPending is what they are born with.
  static constexpr int kPending = 0, kEndedEarly = -1, kThere = -2;

  void read() {
    for (std::size_t i = next_++; i < order_.size() && !stopped_; i = next_++) {
      const auto [file, piece] = order_[i];
      const int problem =
          read_piece(descriptors_[file]->get(), files_[file].size, piece * kPiece, files_[file].to);
      std::atomic<int>& state = arrived_[file][piece];
      state = problem == 0 ? kThere : problem;
      state.notify_all();
    }
  }

  std::vector<File> files_;
  std::vector<std::unique_ptr<Descriptor>> descriptors_;
  std::vector<std::vector<std::atomic<int>>> arrived_;      ///< of each file's pieces
  std::vector<std::pair<std::size_t, std::size_t>> order_;  ///< (file, piece)
  std::atomic<std::size_t> next_{0};
  std::atomic<bool> stopped_{false};
  std::vector<std::jthread> readers_;  ///< last: joined before what they use goes
};

DirectRead::DirectRead(std::vector<File> files) : state_(std::make_unique<State>(std::move(files))) {}
DirectRead::~DirectRead() = default;

void DirectRead::wait(std::size_t file, std::size_t begin, std::size_t end) const {
  state_->wait(file, begin, end);
}

}  // namespace sparkmpi::kernels::inference
