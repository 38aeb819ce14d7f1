#include "mpi/phase_barrier.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cstdio>
#include <cstring>

#include "base/error.hpp"
#include "mpi/backoff.hpp"
#include "mpi/check.hpp"

namespace sparkmpi::mpi {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kArrivalTag = 1, kReleaseTag = 2;

/// The fields of PhaseResult in order, and the rank that came to a wrong phase (-1: none).
constexpr int kAnswerFields = 5;
using Answer = std::array<int, kAnswerFields>;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

}  // namespace

struct PhaseBarrier::Message {
  long number = 0;
  int vote = 1, failed = 0, end = 0, signal = 0;
  std::array<char, 96> phase{};
};

/// Says who is late, once per doubled interval, and gives up when told to.
class PhaseBarrier::Patience {
 public:
  explicit Patience(const WatchdogOptions& options) : options_(options), next_(options.warn_after_s) {}

  /// @param who called only when there is something to say.
  void check(const std::function<std::string()>& who) {
    const double waited = seconds_since(start_);
    if (options_.warn_after_s > 0 && waited >= next_) {
      fmt::print(stderr, "sparkmpi: waiting for {:.0f} s for {}\n", waited, who());
      next_ *= 2;
    }
    if (options_.abort_after_s > 0 && waited >= options_.abort_after_s) {
      throw WatchdogExpired(fmt::format("gave up after {:.0f} s waiting for {}", waited, who()));
    }
  }

 private:
  const WatchdogOptions& options_;
  SteadyClock::time_point start_ = SteadyClock::now();
  double next_;
};

PhaseBarrier::PhaseBarrier(MPI_Comm communicator, WatchdogOptions watchdog,
                           std::function<std::string(int)> describe)
    : communicator_(communicator), watchdog_(watchdog), describe_(std::move(describe)) {
  check(MPI_Comm_rank(communicator_, &rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(communicator_, &size_), "MPI_Comm_size");
  last_phases_.assign(static_cast<std::size_t>(size_), "start");
}

PhaseResult PhaseBarrier::arrive(const PhaseArrival& arrival, Interruption& interruption) {
  Message mine;
  mine.number = ++number_;
  mine.vote = arrival.vote ? 1 : 0;
  mine.failed = arrival.failed ? 1 : 0;
  mine.end = arrival.end ? 1 : 0;
  mine.signal = interruption.signal();
  std::copy_n(arrival.phase.begin(), std::min(arrival.phase.size(), mine.phase.size() - 1),
              mine.phase.begin());
  const PhaseResult result = rank_ == 0 ? collect(mine) : report_and_wait(mine);
  if (result.signal != 0) interruption.request(result.signal);
  return result;
}

PhaseResult PhaseBarrier::collect(const Message& mine) {
  const auto ranks = static_cast<std::size_t>(size_);
  std::vector<Message> arrivals(ranks);
  arrivals[0] = mine;
  std::vector<MPI_Request> requests(ranks, MPI_REQUEST_NULL);
  for (int rank = 1; rank < size_; ++rank) {
    check(MPI_Irecv(&arrivals[static_cast<std::size_t>(rank)], sizeof(Message), MPI_BYTE, rank, kArrivalTag,
                    communicator_, &requests[static_cast<std::size_t>(rank)]),
          "MPI_Irecv");
  }
  std::vector<bool> arrived(ranks, false);
  std::vector<int> indices(ranks);
  Patience patience(watchdog_);
  Backoff backoff;
  arrived[0] = true;
  for (std::size_t missing = ranks - 1; missing > 0;) {
    int done = 0;
    check(MPI_Testsome(size_, requests.data(), &done, indices.data(), MPI_STATUSES_IGNORE), "MPI_Testsome");
    for (int i = 0; i < done; ++i)
      arrived[static_cast<std::size_t>(indices[static_cast<std::size_t>(i)])] = true;
    if (done > 0) {
      missing -= static_cast<std::size_t>(done);
      continue;
    }
    patience.check([&] {
      return fmt::format("{}, wanted for '{}'", late_ranks(arrived, last_phases_), mine.phase.data());
    });
    backoff.pause();
  }

  PhaseResult result;
  bool anyone_inside = false, anyone_at_end = false;
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const Message& arrival = arrivals[rank];
    last_phases_[rank] = arrival.phase.data();
    result.all_agree = result.all_agree && arrival.vote != 0;
    if (result.signal == 0) result.signal = arrival.signal;
    if (arrival.failed != 0 && result.failed_rank < 0) result.failed_rank = static_cast<int>(rank);
    (arrival.end != 0 ? anyone_at_end : anyone_inside) = true;
  }
  result.ended = anyone_at_end && anyone_inside;
  // Ranks that failed or were interrupted come to the end early: others then meet them at another name, and
  // that is no bug.
  const bool early = result.failed_rank >= 0 || result.signal != 0;
  int mismatch = -1;
  for (std::size_t rank = 0; rank < ranks && !early; ++rank) {
    if (arrivals[rank].number != mine.number ||
        std::strcmp(arrivals[rank].phase.data(), mine.phase.data()) != 0) {
      mismatch = static_cast<int>(rank);
    }
  }
  const Answer answer = {result.all_agree ? 1 : 0, result.ended ? 1 : 0, result.signal, result.failed_rank,
                         mismatch};
  for (int rank = 1; rank < size_; ++rank) {
    check(MPI_Send(answer.data(), kAnswerFields, MPI_INT, rank, kReleaseTag, communicator_), "MPI_Send");
  }
  if (mismatch >= 0) {
    throw Error(fmt::format("internal error: {} came to phase '{}' while rank 0 is at '{}'; please report it",
                            describe_(mismatch), arrivals[static_cast<std::size_t>(mismatch)].phase.data(),
                            mine.phase.data()));
  }
  return result;
}

PhaseResult PhaseBarrier::report_and_wait(const Message& mine) {
  Answer answer{};
  std::array<MPI_Request, 2> requests{};
  check(MPI_Irecv(answer.data(), kAnswerFields, MPI_INT, 0, kReleaseTag, communicator_, requests.data()),
        "MPI_Irecv");
  check(MPI_Isend(&mine, sizeof mine, MPI_BYTE, 0, kArrivalTag, communicator_, &requests[1]), "MPI_Isend");
  // Rank 0 names whoever is late; when nobody has been released for much longer, rank 0 itself may be the
  // one.
  WatchdogOptions patient = watchdog_;
  patient.warn_after_s *= 4;
  Patience patience(patient);
  Backoff backoff;
  for (int done = 0; done == 0;) {
    check(MPI_Testall(2, requests.data(), &done, MPI_STATUSES_IGNORE), "MPI_Testall");
    if (done != 0) break;
    if (rank_ == 1) {
      patience.check([&] { return fmt::format("{} to release '{}'", describe_(0), mine.phase.data()); });
    }
    backoff.pause();
  }
  if (answer[4] >= 0)
    throw Error(fmt::format("internal error: ranks disagree at phase '{}'", mine.phase.data()));
  return {answer[0] != 0, answer[1] != 0, answer[2], answer[3]};
}

std::string PhaseBarrier::late_ranks(const std::vector<bool>& arrived,
                                     const std::vector<std::string>& last) const {
  constexpr int kNamed = 4;
  std::string text;
  int late = 0;
  for (int rank = 0; rank < size_; ++rank) {
    if (arrived[static_cast<std::size_t>(rank)]) continue;
    if (++late > kNamed) continue;
    text += fmt::format("{}{} (last seen at '{}')", text.empty() ? "" : ", ", describe_(rank),
                        last[static_cast<std::size_t>(rank)]);
  }
  if (late > kNamed) text += fmt::format(" and {} more", late - kNamed);
  return text;
}

}  // namespace sparkmpi::mpi
