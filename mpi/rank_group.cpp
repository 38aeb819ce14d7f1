#include "mpi/rank_group.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <exception>
#include <vector>

#include "mpi/backoff.hpp"
#include "mpi/check.hpp"

namespace sparkmpi::mpi {
namespace {

constexpr int kDataTag = 1, kResultTag = 2, kLeftTag = 3;
constexpr int kPollsBetweenProbes = 256;

class RankGroup final : public kernels::Group {
 public:
  explicit RankGroup(MPI_Comm communicator)
      : communicator_(communicator), exceptions_(std::uncaught_exceptions()) {
    check(MPI_Comm_set_errhandler(communicator_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
    check(MPI_Comm_rank(communicator_, &rank_), "MPI_Comm_rank");
    check(MPI_Comm_size(communicator_, &size_), "MPI_Comm_size");
  }

  ~RankGroup() override {
    if (std::uncaught_exceptions() > exceptions_ || broken_) {
      leave();
      return;  // freeing is collective, and the others are on their way out
    }
    check_noexcept(MPI_Comm_free(&communicator_), "MPI_Comm_free");
  }
  RankGroup(const RankGroup&) = delete;             ///< owns a communicator
  RankGroup& operator=(const RankGroup&) = delete;  ///< owns a communicator

  int rank() const override { return rank_; }
  int size() const override { return size_; }

  void sum(std::span<float> values) override {
    const int bytes = checked_count(values.size_bytes());
    if (rank_ != 0) {
      transfer(MPI_Isend, values.data(), bytes, 0, kDataTag);
      transfer(MPI_Irecv, values.data(), bytes, 0, kResultTag);
      return;
    }
    parts_.resize(values.size() * static_cast<std::size_t>(size_ - 1));
    for (int member = 1; member < size_; ++member)
      start(MPI_Irecv, part(member, values.size()), bytes, member, kDataTag);
    wait();
    for (int member = 1; member < size_; ++member) {
      const float* const theirs = part(member, values.size());
      for (std::size_t i = 0; i < values.size(); ++i) values[i] += theirs[i];
    }
    for (int member = 1; member < size_; ++member) start(MPI_Isend, values.data(), bytes, member, kResultTag);
    wait();
  }

  void broadcast(std::span<std::byte> bytes, int root) override {
    const int count = checked_count(bytes.size());
    if (rank_ != root) {
      transfer(MPI_Irecv, bytes.data(), count, root, kResultTag);
      return;
    }
    for (int member = 0; member < size_; ++member) {
      if (member != root) start(MPI_Isend, bytes.data(), count, member, kResultTag);
    }
    wait();
  }

  void poll() override { leave_when_another_has(); }

 private:
  static int checked_count(std::size_t bytes) {
    constexpr std::size_t kMost = std::size_t{1} << 30;
    if (bytes > kMost) throw Error("a group moves at most 1 GiB at once");
    return static_cast<int>(bytes);
  }

  float* part(int member, std::size_t values) {
    return parts_.data() + static_cast<std::size_t>(member - 1) * values;
  }

  template <class Call, class Data>
  void start(Call call, Data* data, int bytes, int peer, int tag) {
    MPI_Request request = MPI_REQUEST_NULL;
    check(call(data, bytes, MPI_BYTE, peer, tag, communicator_, &request), "MPI_Isend or MPI_Irecv");
    requests_.push_back(request);
    // NOLINTNEXTLINE(clang-analyzer-optin.mpi.MPI-Checker): wait() completes all of requests_
  }

  template <class Call, class Data>
  void transfer(Call call, Data* data, int bytes, int peer, int tag) {
    start(call, data, bytes, peer, tag);
    wait();
  }

  void wait() {
    Backoff backoff;
    for (int done = 0;;) {
      check(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done, MPI_STATUSES_IGNORE),
            "MPI_Testall");
      if (done != 0) break;
      if (backoff.rounds() % kPollsBetweenProbes == kPollsBetweenProbes - 1) leave_when_another_has();
      backoff.pause();
    }
    requests_.clear();
  }

  void leave_when_another_has() {
    int there = 0;
    MPI_Status status;
    check(MPI_Iprobe(MPI_ANY_SOURCE, kLeftTag, communicator_, &there, &status), "MPI_Iprobe");
    if (there == 0) return;
    broken_ = true;
    throw kernels::PeerFailure(
        fmt::format("stopped, because member {} of this rank's group failed", status.MPI_SOURCE));
  }

  void leave() noexcept {
    for (MPI_Request& request : requests_) {
      if (request == MPI_REQUEST_NULL) continue;
      check_noexcept(MPI_Cancel(&request), "MPI_Cancel");
      check_noexcept(MPI_Request_free(&request), "MPI_Request_free");
    }
    for (int member = 0; member < size_; ++member) {
      // Empty messages leave at once, whether anybody still listens or not.
      if (member != rank_)
        check_noexcept(MPI_Send(nullptr, 0, MPI_BYTE, member, kLeftTag, communicator_), "MPI_Send");
    }
  }

  MPI_Comm communicator_;
  int exceptions_;
  int rank_ = 0, size_ = 1;
  bool broken_ = false;
  std::vector<MPI_Request> requests_;
  std::vector<float> parts_;  ///< the first member's: what the others sent
};

}  // namespace

std::unique_ptr<kernels::Group> make_rank_group(MPI_Comm world, int size) {
  int rank = 0, ranks = 0;
  check(MPI_Comm_rank(world, &rank), "MPI_Comm_rank");
  check(MPI_Comm_size(world, &ranks), "MPI_Comm_size");
  if (size < 1 || ranks % size != 0)
    throw UsageError(fmt::format("{} ranks can't be divided into groups of {}", ranks, size));
  MPI_Comm members = MPI_COMM_NULL;
  check(MPI_Comm_split(world, rank / size, rank, &members), "MPI_Comm_split");
  return std::make_unique<RankGroup>(members);
}

}  // namespace sparkmpi::mpi
