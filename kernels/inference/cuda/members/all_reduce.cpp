#include "kernels/inference/cuda/members/all_reduce.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <optional>
#include <span>

#include "base/error.hpp"
#include "kernels/group_exchange.hpp"
#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/members/member_layers.hpp"
#include "kernels/inference/cuda/members/nccl_reduce.hpp"
#include "kernels/inference/cuda/members/peer_reduce.hpp"
#include "kernels/inference/cuda/members/staged_reduce.hpp"
#include "kernels/inference/cuda/members/verify_sums.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

constexpr int kQueriesBetweenLooks = 256;  // at the other members
// Every value goes to every other member: the more there are, the sooner NCCL's rings are faster.
constexpr int kPeerTokens = 256;

using DeviceName = std::array<char, sizeof(cudaUUID_t)>;

DeviceName name_of_current_device() {
  int device = 0;
  cudaDeviceProp properties{};
  check(cudaGetDevice(&device), "cudaGetDevice");
  check(cudaGetDeviceProperties(&properties, device), "cudaGetDeviceProperties");
  DeviceName name{};
  std::memcpy(name.data(), properties.uuid.bytes, name.size());
  return name;
}

/// "members 0 and 1", or "" when each has a GPU of its own.
std::string members_that_share(Group& group) {
  const std::vector<DeviceName> names = gather(group, name_of_current_device());
  for (auto one = names.begin(); one != names.end(); ++one) {
    const auto other = std::find(one + 1, names.end(), *one);
    if (other != names.end())
      return fmt::format("members {} and {}", one - names.begin(), other - names.begin());
  }
  return "";
}

/// NCCL on all members, or on none.
std::unique_ptr<AllReduce> connect_nccl(Group& group, std::string& reason) {
  std::optional<cuda::Nccl> library;
  try {
    library.emplace();
  } catch (const Error& error) {
    reason = error.what();
  }
  if (!all_of(group, library.has_value())) {
    if (reason.empty()) reason = "NCCL can't be loaded on another member of the group";
    return nullptr;
  }
  return std::make_unique<NcclReduce>(group, *library);
}

/// Peer memory on all members, or on none; `large` is used up only when it works.
std::unique_ptr<AllReduce> connect_peers(Group& group, std::size_t capacity,
                                         std::unique_ptr<AllReduce>& large, std::string& reason) {
  if (group.size() > kMostPeers) {
    reason = fmt::format("peer memory is for up to {} members", kMostPeers);
    return nullptr;
  }
  auto memory = std::make_unique<PeerMemory>(group, PeerReduce::bytes(group.size(), capacity));
  if (!memory->reachable()) {
    reason = memory->reason().empty() ? "another member does not reach all GPUs' memory" : memory->reason();
    return nullptr;
  }
  return std::make_unique<PeerReduce>(group, std::move(memory), capacity, std::move(large));
}

std::unique_ptr<AllReduce> connect(Group& group, AllReduceMethod method, std::size_t capacity) {
  const std::string shared = members_that_share(group);
  if (method == AllReduceMethod::staged || (method == AllReduceMethod::automatic && !shared.empty()))
    return std::make_unique<StagedReduce>(group);
  if (!shared.empty())
    throw Error(fmt::format(
        "{} of the group share a GPU: their sums can only be staged (--all-reduce staged)", shared));
  std::string no_nccl, no_peers;
  std::unique_ptr<AllReduce> nccl = connect_nccl(group, no_nccl);
  if (method == AllReduceMethod::nccl) {
    if (nccl == nullptr) throw Error(no_nccl);
    return nccl;
  }
  std::unique_ptr<AllReduce> peers = connect_peers(group, capacity, nccl, no_peers);
  if (peers != nullptr) return peers;
  if (method == AllReduceMethod::peer) throw Error(no_peers);
  if (nccl == nullptr) throw Error(fmt::format("{}; nor is there another way ({})", no_nccl, no_peers));
  return nccl;
}

}  // namespace

void AllReduce::add(float* partial, int tokens, int hidden, const ResidualOutput& output,
                    const Launch& launch) {
  sum(partial, static_cast<std::size_t>(tokens) * static_cast<std::size_t>(hidden), launch);
  // What a sum ends with may be no kernel of ours.
  add_sums(partial, tokens, hidden, output, {launch.stream, false});
}

std::unique_ptr<AllReduce> make_all_reduce(Group& group, AllReduceMethod method, int hidden) {
  const int tokens = std::max(kMostVectors, kPeerTokens / group.size());
  const std::size_t capacity = static_cast<std::size_t>(tokens) * static_cast<std::size_t>(hidden);
  std::unique_ptr<AllReduce> sums = connect(group, method, capacity);
  for (const std::size_t count : {static_cast<std::size_t>(hidden), capacity, capacity + 3})
    verify_sums(*sums, group, count);
  return sums;
}

void wait_with_members(cudaStream_t stream, AllReduce& sums, Group& group, const char* what) {
  for (int queries = 1;; ++queries) {
    const cudaError_t status = cudaStreamQuery(stream);
    if (status == cudaSuccess) return;
    if (status != cudaErrorNotReady) check(status, what);
    if (queries % kQueriesBetweenLooks != 0) continue;
    sums.check();
    group.poll();
  }
}

}  // namespace sparkmpi::kernels::inference::gpu
