#include "kernels/inference/cuda/members/peer_memory.hpp"

#include <fmt/format.h>

#include <cstring>
#include <exception>

#include "kernels/group_exchange.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr std::size_t kGrain = std::size_t{2} << 20;  // allocations are shared in pieces of this size

/// What the others need to open a member's memory.
struct Invitation {
  cudaIpcMemHandle_t handle{};
  cudaUUID_t device{};
  int error = cudaSuccess;
};

int current_device() {
  int device = 0;
  check(cudaGetDevice(&device), "cudaGetDevice");
  return device;
}

cudaUUID_t uuid_of(int device) {
  cudaDeviceProp properties{};
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  return properties.uuid;
}

/// The ordinal of a GPU in this process; -1 where it is not visible.
int ordinal_of(const cudaUUID_t& uuid) {
  int devices = 0;
  check(cudaGetDeviceCount(&devices), "cudaGetDeviceCount");
  for (int device = 0; device < devices; ++device) {
    if (std::memcmp(uuid_of(device).bytes, uuid.bytes, sizeof(uuid.bytes)) == 0) return device;
  }
  return -1;
}

}  // namespace

PeerMemory::PeerMemory(Group& group, std::size_t bytes)
    : group_(group),
      exceptions_(std::uncaught_exceptions()),
      mine_((bytes + kGrain - 1) / kGrain * kGrain, "sums over the members"),
      addresses_(static_cast<std::size_t>(group.size())) {
  mine_.clear();
  reason_ = open();
  reachable_ = all_of(group_, reason_.empty());
}

std::string PeerMemory::open() {
  Invitation mine;
  mine.device = uuid_of(current_device());
  mine.error = cudaIpcGetMemHandle(&mine.handle, mine_.as());
  static_cast<void>(cudaGetLastError());
  const std::vector<Invitation> all = gather(group_, mine);
  for (int member = 0; member < group_.size(); ++member) {
    const Invitation& theirs = all[static_cast<std::size_t>(member)];
    std::byte*& address = addresses_[static_cast<std::size_t>(member)];
    if (member == group_.rank()) {
      address = mine_.as();
      continue;
    }
    if (theirs.error != cudaSuccess)
      return fmt::format("member {} can't share memory: {}", member,
                         cudaGetErrorString(static_cast<cudaError_t>(theirs.error)));
    const int device = ordinal_of(theirs.device);
    int access = 0;
    if (device >= 0)
      check(cudaDeviceCanAccessPeer(&access, current_device(), device), "cudaDeviceCanAccessPeer");
    if (access == 0) return fmt::format("no peer access to the GPU of member {}", member);
    void* opened = nullptr;
    const cudaError_t status = cudaIpcOpenMemHandle(&opened, theirs.handle, cudaIpcMemLazyEnablePeerAccess);
    static_cast<void>(cudaGetLastError());
    if (status != cudaSuccess)
      return fmt::format("memory of member {}: {}", member, cudaGetErrorString(status));
    address = static_cast<std::byte*>(opened);
  }
  return "";
}

PeerMemory::~PeerMemory() {
  for (int member = 0; member < group_.size(); ++member) {
    std::byte* const address = addresses_[static_cast<std::size_t>(member)];
    if (member != group_.rank() && address != nullptr) static_cast<void>(cudaIpcCloseMemHandle(address));
  }
  if (std::uncaught_exceptions() > exceptions_) return;
  try {
    static_cast<void>(all_of(group_, true));
  } catch (const Error&) {
    // Another member has left by an exception; this one's next call says so.
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
