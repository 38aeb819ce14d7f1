#pragma once
// This program started again as a hidden sub-command, for what may cost a process its life.

#include <sys/types.h>

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/child/channel.hpp"
#include "kernels/stop_signal.hpp"

namespace sparkmpi::kernels::child {

/// How a process ended.
struct Ending {
  int signal = 0;       ///< that killed it, 0: none
  int exit_status = 0;  ///< when no signal did
  /// "was killed by signal 9 (Killed)", "ended with status 3".
  std::string text() const;
};

enum class Event : std::uint8_t {
  record,   ///< one has come
  ended,    ///< the child has closed its end: it is dead or dying
  stopped,  ///< this run is to stop
  timeout,  ///< nothing came in time
};

struct Received {
  Event event;
  Record record;
};

/// The child is in a process group of its own, so that Ctrl-C reaches it only through its parent, has no
/// other descriptors than the standard ones and its channel, and does not outlive this object. The child's
/// side is ParentLink.
class ChildProcess {
 public:
  /// @param program the executable, /proc/self/exe outside tests. @param arguments from the sub-command on.
  /// @param variables "NAME=value", before those of this process. Throws Error with the system's reason.
  ChildProcess(const std::string& program, std::vector<std::string> arguments,
               std::vector<std::string> variables = {});
  ~ChildProcess();                                        ///< kills the child when it still runs
  ChildProcess(const ChildProcess&) = delete;             ///< owns a process
  ChildProcess& operator=(const ChildProcess&) = delete;  ///< owns a process

  pid_t pid() const { return pid_; }
  /// False when the child is gone.
  bool send(std::span<const std::uint8_t> record);
  /// Waits for the next record; looks at `stop` at least every 100 ms. What the child had sent whole before
  /// it died still comes before Event::ended.
  Received receive(const StopSignal& stop, double patience_s);
  void kill() noexcept;
  /// Waits for the end of a child that is ending or was killed. All its memory has gone back to the system
  /// then.
  Ending wait();

 private:
  pid_t pid_ = -1;
  int socket_ = -1;
  bool reaped_ = false;
  int status_ = 0;
  RecordAssembler assembler_;
};

}  // namespace sparkmpi::kernels::child
