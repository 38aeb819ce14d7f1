#pragma once
// One monotonic clock for a rank's whole run, so that ledger time lines and metrics share an origin.

#include <chrono>

namespace sparkmpi {

class Clock {
 public:
  Clock() : origin_(std::chrono::steady_clock::now()) {}
  /// Seconds since this clock was made. The runner makes it right after a barrier, so ranks agree to within
  /// the barrier's skew.
  double now_s() const {
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - origin_).count();
  }

 private:
  std::chrono::steady_clock::time_point origin_;
};

}  // namespace sparkmpi
