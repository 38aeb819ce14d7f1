#pragma once
// The child's side of a ChildProcess.

#include <sys/types.h>

#include <span>
#include <string_view>

#include "kernels/child/channel.hpp"

namespace sparkmpi::kernels::child {

inline constexpr int kChannelDescriptor = 3;
/// Every hidden sub-command is given its parent's process id behind this option.
inline constexpr std::string_view kParentOption = "--parent";

class ParentLink {
 public:
  /// Makes this process the first that the kernel's OOM killer takes (oom_score_adj 1000), and ties its life
  /// to its parent's (PR_SET_PDEATHSIG, which counts from the thread that started it). Throws Error when the
  /// parent is gone already or there is no channel, as when a person types the sub-command.
  explicit ParentLink(pid_t parent);

  void send(std::span<const std::uint8_t> record) const { send_record(kChannelDescriptor, record); }
  /// Waits for the parent's next record; nothing when it has closed its end.
  std::optional<Record> receive();

 private:
  RecordAssembler assembler_;
};

}  // namespace sparkmpi::kernels::child
