#pragma once
// Which device and which cores belong to a rank, and the proof that the threads are really there.

#include <span>
#include <string>
#include <vector>

#include "base/attributes.hpp"
#include "kernels/device/device.hpp"
#include "mpi/world.hpp"

namespace sparkmpi::mpi {

enum class BindPolicy : std::uint8_t {
  divide,   ///< the node's allowed cores are divided between its ranks, whatever mask the launcher set
            ///< ("auto")
  inherit,  ///< the launcher's mask is kept
};

struct BindingOptions {
  std::string device = "auto";  ///< "auto", "host", "cuda", "cuda:K"
  BindPolicy policy = BindPolicy::divide;
  bool allow_sharing = false;  ///< two ranks may drive one GPU
  bool cuda_kernels = false;   ///< the kernels asked for can run on a GPU; otherwise "auto" is the host
};

/// This rank's device and cores; the calling thread is bound to them. Collective over the node.
/// @param gpus those that the CUDA module has found, in ordinal order; empty without one.
/// Throws UsageError for a device that is not there, for cuda without GPUs, and for two ranks on one GPU
/// unless allowed.
kernels::Placement bind_rank(World& world, const BindingOptions& options,
                             std::span<const kernels::Device> gpus);

/// What was decided and what is seen after it: device, cpus, numa_nodes, and the observed mask, core and NUMA
/// node of the calling thread. Facts for RankInfo.
Attributes binding_facts(const kernels::Placement& placement);

/// The local rank's choice among the GPUs. Exposed for tests. Throws as bind_rank.
kernels::Device choose_device(const BindingOptions& options, std::span<const kernels::Device> gpus,
                              const kernels::Device& host, int local_rank);

/// The host as a device.
kernels::Device host_device();

/// "0-3,8" for {0,1,2,3,8}.
std::string format_cpu_list(std::span<const int> cpus);

}  // namespace sparkmpi::mpi
