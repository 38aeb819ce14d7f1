#include "mpi/arrival_book.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace sparkmpi::mpi {

ArrivalBook::ArrivalBook(int ranks)
    : waiting_(static_cast<std::size_t>(ranks)), last_phase_(static_cast<std::size_t>(ranks)) {}

std::vector<ArrivalBook::Reply> ArrivalBook::arrive(int rank, const Arrival& arrival) {
  note(rank, arrival);
  find_strays();

  const bool everyone = all_wait();
  const bool anyone_inside =
      std::any_of(waiting_.begin(), waiting_.end(), [](const auto& a) { return a && !a->end; });
  const bool anyone_at_end =
      std::any_of(waiting_.begin(), waiting_.end(), [](const auto& a) { return a && a->end; });

  std::vector<Reply> replies;
  const auto let_go = [&](ReleaseKind kind, auto&& whom) {
    for (std::size_t i = waiting_.size();
         i-- > 0;) {  // rank 0 last: it goes on only when all others are told
      if (!waiting_[i] || !whom(*waiting_[i])) continue;
      replies.push_back({static_cast<int>(i), release(kind)});
      waiting_[i].reset();
    }
  };
  const auto all = [](const Arrival&) { return true; };
  const auto inside = [](const Arrival& a) { return !a.end; };

  if (everyone && !anyone_inside) {
    let_go(ReleaseKind::go, all);
    ++section_;
    failed_rank_ = -1;
    usage_ = false;
    text_.clear();
  } else if (failed_rank_ >= 0) {
    let_go(ReleaseKind::peer_failed, inside);
  } else if (anyone_inside && anyone_at_end) {
    let_go(ReleaseKind::peer_left,
           inside);  // find_strays has made sure that whoever is at the end was interrupted
  } else if (everyone) {
    const bool vote = std::all_of(waiting_.begin(), waiting_.end(), [](const auto& a) { return a->vote; });
    let_go(ReleaseKind::go, all);
    for (Reply& reply : replies) reply.release.vote = vote;
  }
  return replies;
}

void ArrivalBook::note(int rank, const Arrival& arrival) {
  const auto index = static_cast<std::size_t>(rank);
  waiting_[index] = arrival;
  last_phase_[index] = arrival.name.view();
  if (signal_ == 0) signal_ = arrival.signal;
  if (arrival.failed) fail(rank, arrival.usage, arrival.text.view());
  if (arrival.section != section_) {
    fail(rank, false,
         fmt::format("internal error: rank {} is in section {} ('{}') while the others are in section {}",
                     rank, arrival.section, arrival.name.view(), section_));
  }
}

void ArrivalBook::find_strays() {
  if (failed_rank_ >= 0) return;
  std::optional<std::size_t> reference;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (!waiting_[i]) continue;
    if (!reference) {
      reference = i;
      continue;
    }
    const Arrival& a = *waiting_[*reference];
    const Arrival& b = *waiting_[i];
    const bool same = a.end == b.end && (a.end || a.phase == b.phase) && a.name.view() == b.name.view();
    const bool one_left_early = a.end != b.end && (a.end ? a.signal : b.signal) != 0;
    if (same || one_left_early) continue;
    fail(static_cast<int>(i), false,
         fmt::format("internal error: rank {} is at '{}' (phase {}) while rank {} is at '{}' (phase {})", i,
                     b.name.view(), b.phase, *reference, a.name.view(), a.phase));
    return;
  }
}

bool ArrivalBook::all_wait() const {
  return std::all_of(waiting_.begin(), waiting_.end(), [](const auto& a) { return a.has_value(); });
}

void ArrivalBook::fail(int rank, bool usage, std::string_view text) {
  if (failed_rank_ >= 0) return;
  failed_rank_ = rank;
  usage_ = usage;
  text_ = text;
}

Release ArrivalBook::release(ReleaseKind kind) const {
  Release release;
  release.kind = kind;
  release.usage = usage_;
  release.signal = signal_;
  release.failed_rank = failed_rank_;
  release.text = std::string_view(text_);
  return release;
}

bool ArrivalBook::somebody_waits() const {
  return std::any_of(waiting_.begin(), waiting_.end(), [](const auto& a) { return a.has_value(); });
}

std::string_view ArrivalBook::wanted_phase() const {
  for (const auto& arrival : waiting_) {
    if (arrival) return arrival->name.view();
  }
  return {};
}

std::vector<ArrivalBook::Late> ArrivalBook::late() const {
  std::vector<Late> late;
  for (std::size_t i = 0; i < waiting_.size(); ++i) {
    if (!waiting_[i]) late.push_back({static_cast<int>(i), last_phase_[i]});
  }
  return late;
}

}  // namespace sparkmpi::mpi
