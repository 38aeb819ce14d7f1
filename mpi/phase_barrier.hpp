#pragma once
// The one way in which ranks wait for one another: it votes, it carries failures and interrupts, and it names
// who is late.

#include <mpi.h>

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "mpi/interruption.hpp"

namespace sparkmpi::mpi {

/// What all ranks together said at a phase.
struct PhaseResult {
  bool all_agree = true;  ///< every rank voted true
  bool ended =
      false;       ///< some rank has come to the section's end while others were inside: it is over for all
  int signal = 0;  ///< that asked some rank to stop, 0: none
  int failed_rank = -1;  ///< lowest rank whose kernel failed, -1: none
};

/// What a rank says when it comes to a phase. A section is a kernel's run or a step of the runner; a rank
/// that fails or is interrupted inside comes to its end early.
struct PhaseArrival {
  std::string_view phase;  ///< at most 95 characters count
  bool vote = true;        ///< see PhaseResult::all_agree
  bool end = false;        ///< at the section's end
  bool failed = false;     ///< this rank's kernel threw
};

/// A rank did not come within the patience that was given: the ranks are out of step, and only the end is
/// left.
class WatchdogExpired : public Error {
 public:
  using Error::Error;
};

struct WatchdogOptions {
  double warn_after_s = 60;  ///< since the first rank came; repeated at doubled intervals
  double abort_after_s = 0;  ///< 0: never
};

/// Every rank sends what it has to say to rank 0; rank 0 combines and answers. All waiting is polling that
/// backs off to short sleeps, so that oversubscribed ranks leave the cores to those that still work, and so
/// that a rank that never comes can be named.
class PhaseBarrier {
 public:
  /// @param communicator private to this barrier. @param describe "rank 3 (nodeb)" for messages, known on
  /// every rank.
  PhaseBarrier(MPI_Comm communicator, WatchdogOptions watchdog, std::function<std::string(int)> describe);

  /// Waits for all ranks. @param interruption forwarded: a requested stop becomes everybody's. Throws Error
  /// when ranks come to different phases of a section (a bug), and WatchdogExpired.
  PhaseResult arrive(const PhaseArrival& arrival, Interruption& interruption);

  void set_watchdog(WatchdogOptions watchdog) { watchdog_ = watchdog; }

 private:
  struct Message;
  class Patience;
  PhaseResult collect(const Message& mine);
  PhaseResult report_and_wait(const Message& mine);
  std::string late_ranks(const std::vector<bool>& arrived, const std::vector<std::string>& last) const;

  MPI_Comm communicator_;
  WatchdogOptions watchdog_;
  std::function<std::string(int)> describe_;
  int rank_ = 0, size_ = 1;
  long number_ = 0;                       ///< of the phase, counted alike on every rank
  std::vector<std::string> last_phases_;  ///< rank 0: the last phase each rank came to
};

}  // namespace sparkmpi::mpi
