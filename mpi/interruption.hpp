#pragma once
// Ctrl-C and SIGTERM: from the signal to a clean end with what was measured kept.

#include <atomic>
#include <csignal>

#include "kernels/stop_signal.hpp"

namespace sparkmpi::mpi {

/// The wish to end, its signal, and when it came. Barriers carry it from rank to rank.
class Interruption {
 public:
  /// Async-signal-safe. Only the first request counts.
  void request(int signal) noexcept;
  /// The signal that asked, on this rank or another; 0 when none did.
  int signal() const noexcept { return signal_.load(std::memory_order_relaxed); }
  bool requested() const noexcept { return signal() != 0; }
  /// Seconds since the first request; 0 without one.
  double age_s() const noexcept;
  const kernels::StopSignal& stop() const noexcept { return stop_; }

 private:
  kernels::StopSignal stop_;
  std::atomic<int> signal_{0};
  std::atomic<long long> when_ns_{0};
  static_assert(std::atomic<long long>::is_always_lock_free, "set from a signal handler");
};

/// SIGINT and SIGTERM set the interruption while this lives; a second signal ends the process at once with
/// 128 + signal. A repetition within 0.3 s is taken for the same wish: launchers signal the process and its
/// group, one after the other. One at a time: throws std::logic_error when another lives.
class SignalHandlers {
 public:
  explicit SignalHandlers(Interruption& interruption);
  ~SignalHandlers();
  SignalHandlers(const SignalHandlers&) = delete;             ///< owns the process's handlers
  SignalHandlers& operator=(const SignalHandlers&) = delete;  ///< owns the process's handlers

 private:
  struct sigaction old_interrupt_ {};
  struct sigaction old_terminate_ {};
};

}  // namespace sparkmpi::mpi
