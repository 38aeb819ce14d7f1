#pragma once
// Memory of each member that all members of a group have in their address space (CUDA IPC).

#include <string>
#include <vector>

#include "kernels/communicator.hpp"
#include "kernels/inference/cuda/device.hpp"

namespace sparkmpi::kernels::inference::gpu {

class PeerMemory {
 public:
  /// Collective: `bytes` of the current device on each member, zero, and the others' opened. reachable() says
  /// whether that worked, the same on every member.
  PeerMemory(Group& group, std::size_t bytes);
  /// Unless an exception unwinds, collective too: nobody's memory goes while others have it open.
  ~PeerMemory();
  PeerMemory(const PeerMemory&) = delete;             ///< owns mappings
  PeerMemory& operator=(const PeerMemory&) = delete;  ///< owns mappings

  bool reachable() const { return reachable_; }
  const std::string& reason() const { return reason_; }  ///< why this member reaches not all of them
  std::byte* of(int member) const { return addresses_[static_cast<std::size_t>(member)]; }

 private:
  /// "" or why not.
  std::string open();

  Group& group_;
  int exceptions_;
  DeviceMemory mine_;
  std::vector<std::byte*> addresses_;
  bool reachable_ = false;
  std::string reason_;
};

}  // namespace sparkmpi::kernels::inference::gpu
