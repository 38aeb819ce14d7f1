#pragma once
// Ctrl-C and SIGTERM as a wish that kernels see, not as a death.

#include <csignal>

#include "kernels/stop_signal.hpp"

namespace sparkmpi::mpi {

/// While it lives, the first SIGINT or SIGTERM sets the stop signal; a second one ends the process at once by
/// the default action. One at a time per process (a handler has no other way to find it).
class SignalGuard {
 public:
  explicit SignalGuard(kernels::StopSignal& stop);
  ~SignalGuard();
  SignalGuard(const SignalGuard&) = delete;             ///< owns the process's handlers
  SignalGuard& operator=(const SignalGuard&) = delete;  ///< owns the process's handlers

  /// The signal that came, 0: none.
  static int received();

 private:
  struct sigaction previous_interrupt_ {};
  struct sigaction previous_terminate_ {};
};

}  // namespace sparkmpi::mpi
