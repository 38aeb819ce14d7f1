#pragma once
// One cell of the charge experiment: one allocator, one size, in a child process of its own, every ledger
// read at each step.

#include <sys/types.h>

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.hpp"
#include "kernels/charge/allocator.hpp"
#include "kernels/child/parent_link.hpp"
#include "kernels/stop_signal.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::kernels::charge {

/// What a child is told on its command line.
struct CellRequest {
  std::string allocator;  ///< a name of host_allocators() or of the CUDA module's, or kIdle
  std::size_t bytes = 0;
  std::string scratch_file;
  std::string device = "host";  ///< "cuda:2" for the CUDA module's allocators
};

/// What became of a cell. `snapshots` are named by step: "before", "allocate", "touch_cpu", "touch_gpu",
/// "free", "exit"; steps that the allocator lacks are absent, and after a failure the steps before it are
/// kept.
struct CellResult {
  std::vector<ledger::Snapshot> snapshots;
  std::string error;  ///< one line; empty when all steps were taken
};

/// The hidden sub-command that a cell's child is started as.
inline constexpr std::string_view kSubCommand = "charge-cell";

/// The child's side, called by the sub-command and by nobody else: takes the steps, sends a snapshot of the
/// host's ledgers after each, and goes on when the parent has answered it. Returns the exit status.
int run_cell(const CellRequest& request, child::ParentLink& parent);

/// Makes the ledgers of a GPU for a child process. The parent reads them, since a child that allocates host
/// memory has no CUDA context of its own.
using DeviceLedgers = std::function<ledger::LedgerSet(pid_t child)>;

/// The parent's side: starts this program again as `charge-cell`, collects its snapshots, adds the device's
/// readings to each, and reads all ledgers once more after its exit. The child is the first that the kernel
/// kills when memory runs out (oom_score_adj 1000).
/// @param program the executable to start, /proc/self/exe outside tests. Never throws for what the child
/// does.
CellResult measure_cell(const CellRequest& request, const std::string& program, const DeviceLedgers& device,
                        const Clock& clock, const StopSignal& stop);

}  // namespace sparkmpi::kernels::charge
