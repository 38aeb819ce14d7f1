#pragma once
// From slopes to words, and the controls without which no word is given.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/charge/regression.hpp"

namespace sparkmpi::kernels::charge {

enum class Verdict : std::uint8_t {
  uncounted,       ///< the ledger does not see this memory: slope 0
  counted,         ///< once: slope 1
  double_counted,  ///< twice: slope 2
  indeterminate,   ///< between them, or too noisy to say
  not_answered,    ///< the ledger gave no number
};
std::string_view to_string(Verdict verdict);

/// A slope counts as 0, 1 or 2 when its whole 95 % interval lies within this distance of it. Half the way to
/// the next whole number would be 0.5; a tenth leaves room for page tables (0.2 %) and allocator metadata,
/// not for a share.
inline constexpr double kTolerance = 0.1;

/// @param tolerance half the width of the band around 0, 1 and 2.
Verdict judge(const Slope& slope, double tolerance = kTolerance);

/// One positive control: memory whose charge is known, on a ledger that keeps count of pages itself. Cgroup
/// ledgers are no controls: whether they count malloc once or twice is what is asked.
struct Control {
  std::string allocator;  ///< "malloc", "file_read"
  std::string ledger;     ///< "meminfo.MemFree", "status.VmRSS"
  Slope slope;
};

/// One line that names a control whose whole interval misses the band around 1: the instrument is broken
/// here, and every verdict is withheld. Empty when there is none.
std::string failed_control(const std::vector<Control>& controls);

/// One line that names a control whose interval reaches beyond the band without missing it: too noisy, or too
/// few cells, to say. Ledgers with the same noise are indeterminate by their own intervals. Empty when there
/// is none. A control that was not answered neither fails nor is doubtful.
std::string doubtful_control(const std::vector<Control>& controls);

}  // namespace sparkmpi::kernels::charge
