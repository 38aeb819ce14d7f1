#include "ledger/sampler.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>
#include <cmath>
#include <condition_variable>
#include <csignal>
#include <limits>
#include <mutex>
#include <thread>
#include <unordered_map>

#include "base/error.hpp"

namespace sparkmpi::ledger {
namespace {

/// Adds one tick: a new column starts with NaN for the ticks before it.
void append(Timeline& timeline, std::unordered_map<std::string, std::size_t>& columns, double time_s,
            const std::vector<Reading>& readings) {
  timeline.time_s.push_back(time_s);
  const double nan = std::numeric_limits<double>::quiet_NaN();
  for (TimelineColumn& column : timeline.columns) column.values.push_back(nan);
  for (const Reading& reading : readings) {
    const auto [entry, fresh] = columns.try_emplace(reading.name, timeline.columns.size());
    if (fresh) {
      timeline.columns.push_back(
          {reading.name, reading.unit, std::vector<double>(timeline.time_s.size(), nan)});
    }
    timeline.columns[entry->second].values.back() = reading.value;
  }
}

}  // namespace

class Sampler::Thread {
 public:
  Thread(LedgerSet& ledgers, const Clock& clock, double rate_hz)
      : ledgers_(ledgers),
        clock_(clock),
        period_(std::chrono::duration_cast<std::chrono::nanoseconds>(
            std::chrono::duration<double>(1 / rate_hz))) {
    // Signals belong to the main thread; a new thread inherits this mask.
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    thread_ = std::thread([this] { sample(); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  ~Thread() { finish(); }
  Thread(const Thread&) = delete;
  Thread& operator=(const Thread&) = delete;

  Timeline finish() {
    {
      const std::lock_guard lock(mutex_);
      stopping_ = true;
    }
    wake_.notify_all();
    if (thread_.joinable()) thread_.join();
    return std::move(timeline_);
  }

 private:
  void sample() {
    std::unordered_map<std::string, std::size_t> columns;
    auto due = std::chrono::steady_clock::now();
    std::unique_lock lock(mutex_);
    // The last one after the end was asked for, so that the time line of a short kernel has both its ends.
    while (true) {
      const bool last = stopping_;
      lock.unlock();
      append(timeline_, columns, clock_.now_s(), ledgers_.read(true));
      if (last) return;
      lock.lock();
      // Absolute times, so that reading does not add up to drift; ticks that were missed are left out, not
      // made up for.
      const auto now = std::chrono::steady_clock::now();
      do {
        due += period_;
      } while (due <= now);
      wake_.wait_until(lock, due, [this] { return stopping_; });
    }
  }

  LedgerSet& ledgers_;
  const Clock& clock_;
  std::chrono::nanoseconds period_;
  Timeline timeline_;
  std::mutex mutex_;
  std::condition_variable wake_;
  bool stopping_ = false;
  std::thread thread_;
};

Sampler::Sampler(LedgerSet& ledgers, const Clock& clock, double rate_hz)
    : ledgers_(ledgers), clock_(clock), rate_hz_(rate_hz) {
  if (!(rate_hz >= 0 && rate_hz <= 1000)) {
    throw UsageError(
        fmt::format("--sample-rate: {} is no rate; give 0 (off) to 1000 samples a second", rate_hz));
  }
}

Sampler::~Sampler() = default;

void Sampler::start() {
  if (rate_hz_ > 0) thread_ = std::make_unique<Thread>(ledgers_, clock_, rate_hz_);
}

Timeline Sampler::stop() {
  if (!thread_) return {};
  Timeline timeline = thread_->finish();
  thread_.reset();
  return timeline;
}

}  // namespace sparkmpi::ledger
