#pragma once
// The wish to end early (Ctrl-C, SIGTERM), as kernels see it.

#include <atomic>

namespace sparkmpi::kernels {

/// Set by a signal handler, read by measuring loops at least every 100 ms: a kernel that sees it keeps what
/// it has measured, records the stop reason "interrupted" and returns.
class StopSignal {
 public:
  void request() noexcept { requested_.store(true, std::memory_order_relaxed); }
  bool requested() const noexcept { return requested_.load(std::memory_order_relaxed); }

 private:
  std::atomic<bool> requested_{false};
  static_assert(std::atomic<bool>::is_always_lock_free, "set from a signal handler");
};

}  // namespace sparkmpi::kernels
