#pragma once
// How a rank waits for another without taking the cores from those that still work.

#include <chrono>
#include <thread>

namespace sparkmpi::mpi {

/// Polls fast at first, so that ranks with a core each lose no time, then sleeps ever longer up to a
/// millisecond.
class Backoff {
 public:
  void pause() {
    if (++rounds_ < 2000) return;
    std::this_thread::sleep_for(std::chrono::microseconds(rounds_ < 2500 ? 50 : 1000));
  }
  int rounds() const { return rounds_; }

 private:
  int rounds_ = 0;
};

}  // namespace sparkmpi::mpi
