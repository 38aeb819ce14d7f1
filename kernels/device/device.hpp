#pragma once
// What a rank drives, and the part of the host that belongs to it.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/attributes.hpp"

namespace sparkmpi::kernels {

enum class DeviceKind : std::uint8_t { host, cuda };

/// How a device's memory relates to the host's; the tests behind each are CUDA device attributes
/// (docs/metrics.md).
enum class MemoryModel : std::uint8_t {
  host,
  discrete_limited,
  discrete,
  managed,
  hmm,
  coherent,
  integrated
};
std::string_view to_string(MemoryModel model);

struct Device {
  DeviceKind kind = DeviceKind::host;
  int ordinal = 0;          ///< CUDA ordinal; 0 for the host
  std::string id = "host";  ///< "host", "cuda:2"
  std::string name;         ///< "AMD EPYC 7543", "NVIDIA H100 80GB HBM3"
  std::string uuid;         ///< GPU UUID; the boot id for the host
  MemoryModel memory_model = MemoryModel::host;
  std::uint64_t memory_bytes = 0;
  int numa_node = -1;     ///< the NUMA node a GPU hangs on, -1 unknown
  Attributes attributes;  ///< a GPU's, as CUDA reports them: what the memory model was decided by, versions
};

/// A rank's share: its device, and the cores and NUMA nodes its host threads may use.
struct Placement {
  Device device;
  std::vector<int> cpus;        ///< OS indices, never empty
  std::vector<int> numa_nodes;  ///< OS indices with cores; memory-only nodes are left out
};

/// The first `threads` of a rank's cores, all of them for 0. Throws UsageError, naming --threads, when it has
/// fewer.
std::vector<int> chosen_cpus(const Placement& placement, std::int64_t threads);

}  // namespace sparkmpi::kernels
