#include "mpi/binding.hpp"

#include <fmt/format.h>
#include <hwloc.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <fstream>
#include <memory>

#include "base/error.hpp"
#include "ledger/nvidia_driver.hpp"
#include "mpi/cpu_division.hpp"

namespace sparkmpi::mpi {
namespace {

class Topology {
 public:
  Topology() {
    if (hwloc_topology_init(&topology_) != 0) throw Error("hwloc cannot start; is /sys mounted?");
    if (hwloc_topology_load(topology_) != 0) {
      hwloc_topology_destroy(topology_);
      throw Error("hwloc cannot read this machine's topology; is /sys mounted?");
    }
  }
  ~Topology() { hwloc_topology_destroy(topology_); }
  Topology(const Topology&) = delete;
  Topology& operator=(const Topology&) = delete;

  /// Every core this process may be put on by its cpuset; hwloc leaves out what is disallowed.
  std::vector<Core> cores() const {
    std::vector<Core> found;
    const int count = hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_CORE);
    for (int i = 0; i < count; ++i) {
      const hwloc_obj_t core = hwloc_get_obj_by_type(topology_, HWLOC_OBJ_CORE, static_cast<unsigned>(i));
      add(core->cpuset, found);
    }
    // Some virtual machines show processing units and no cores.
    if (found.empty()) {
      const int units = hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_PU);
      for (int i = 0; i < units; ++i) {
        add(hwloc_get_obj_by_type(topology_, HWLOC_OBJ_PU, static_cast<unsigned>(i))->cpuset, found);
      }
    }
    if (found.empty()) throw Error("hwloc shows no core that this process may use; check its cpuset");
    return found;
  }

  int numa_node_of(int cpu) const {
    const auto set = std::unique_ptr<hwloc_bitmap_s, void (*)(hwloc_bitmap_s*)>(
        hwloc_bitmap_alloc(), [](hwloc_bitmap_s* bitmap) { hwloc_bitmap_free(bitmap); });
    hwloc_bitmap_only(set.get(), static_cast<unsigned>(cpu));
    return numa_node_of(set.get());
  }

 private:
  /// The node with cores whose cores include these. Memory-only nodes (HBM of a GH200) have an empty cpuset,
  /// or, as hwloc places them beside a package, more local memory behind the same cores: the node the kernel
  /// lists the cores under comes first.
  int numa_node_of(hwloc_const_bitmap_t cpuset) const {
    const int count = hwloc_get_nbobjs_by_type(topology_, HWLOC_OBJ_NUMANODE);
    for (int i = 0; i < count; ++i) {
      const hwloc_obj_t node = hwloc_get_obj_by_type(topology_, HWLOC_OBJ_NUMANODE, static_cast<unsigned>(i));
      if (has_cores(node->os_index) && hwloc_bitmap_intersects(node->cpuset, cpuset) != 0) {
        return static_cast<int>(node->os_index);
      }
    }
    return 0;
  }

  static bool has_cores(unsigned node) {
    std::ifstream list(fmt::format("/sys/devices/system/node/node{}/cpulist", node));
    std::string cpus;
    // Without the file (no NUMA support) the only node has all cores.
    return !list || (std::getline(list, cpus) && !cpus.empty());
  }

  void add(hwloc_const_bitmap_t cpuset, std::vector<Core>& cores) const {
    Core core;
    for (int cpu = hwloc_bitmap_first(cpuset); cpu >= 0; cpu = hwloc_bitmap_next(cpuset, cpu))
      core.cpus.push_back(cpu);
    if (core.cpus.empty()) return;
    core.numa_node = numa_node_of(cpuset);
    cores.push_back(std::move(core));
  }

  hwloc_topology_t topology_ = nullptr;
};

std::vector<int> current_mask() {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof mask, &mask) != 0) throw Error("sched_getaffinity failed");
  std::vector<int> cpus;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) cpus.push_back(cpu);
  }
  return cpus;
}

/// The cores that this process may be put on at all: the kernel cuts a wish for every core down to its
/// cpuset. In a container hwloc does not see the cpuset when its cgroup is not mounted there.
std::vector<int> allowed_cpus() {
  cpu_set_t before, all;
  CPU_ZERO(&before);
  if (sched_getaffinity(0, sizeof before, &before) != 0) throw Error("sched_getaffinity failed");
  std::memset(&all, 0xff, sizeof all);
  if (sched_setaffinity(0, sizeof all, &all) != 0) return current_mask();
  std::vector<int> cpus = current_mask();
  if (sched_setaffinity(0, sizeof before, &before) != 0) throw Error("sched_setaffinity failed");
  return cpus;
}

/// Cores without the processing units that are not allowed; those that have none left are gone.
std::vector<Core> usable(std::vector<Core> cores, const std::vector<int>& allowed) {
  for (Core& core : cores)
    std::erase_if(core.cpus, [&](int cpu) { return std::ranges::find(allowed, cpu) == allowed.end(); });
  std::erase_if(cores, [](const Core& core) { return core.cpus.empty(); });
  if (cores.empty()) throw Error("none of the cores that hwloc shows may be used; try --bind inherit");
  return cores;
}

void bind_this_thread(const std::vector<int>& cpus) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  for (const int cpu : cpus) CPU_SET(cpu, &mask);
  if (sched_setaffinity(0, sizeof mask, &mask) != 0) {
    throw Error(fmt::format("cannot bind to cores {}; try --bind inherit", format_cpu_list(cpus)));
  }
}

std::string first_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

std::string cpu_model() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(std::min(line.size(), line.find(':') + 2));
  }
  return first_line("/proc/device-tree/model");
}

void refuse_shared_gpu(World& world, const kernels::Device& device) {
  const std::string mine = device.kind == kernels::DeviceKind::cuda ? device.uuid : "";
  const auto* const bytes = reinterpret_cast<const std::uint8_t*>(mine.data());
  const auto all = world.gather_on_node({bytes, mine.size()});
  if (mine.empty()) return;
  for (std::size_t other = 0; other < all.size(); ++other) {
    if (static_cast<int>(other) == world.local_rank() ||
        std::string(all[other].begin(), all[other].end()) != mine)
      continue;
    throw UsageError(
        fmt::format("{} and local rank {} drive the same GPU {} ({}); start one rank a GPU, or allow it with "
                    "--allow-sharing",
                    world.describe(world.rank()), other, device.id, mine));
  }
}

}  // namespace

kernels::Device host_device() {
  kernels::Device host;
  host.name = cpu_model();
  host.uuid = first_line("/proc/sys/kernel/random/boot_id");
  host.memory_bytes =
      static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  return host;
}

kernels::Device choose_device(const BindingOptions& options, std::span<const kernels::Device> gpus,
                              const kernels::Device& host, int local_rank) {
  const std::string& wanted = options.device;
  if (wanted == "host" || (wanted == "auto" && (gpus.empty() || !options.cuda_kernels))) return host;
  if (wanted == "auto" || wanted == "cuda") {
    if (gpus.empty())
      throw UsageError(
          "--device cuda: there is no GPU that CUDA can use here (sparkmpi doctor says why); use --device "
          "host");
    return gpus[static_cast<std::size_t>(local_rank) % gpus.size()];
  }
  int ordinal = -1;
  const std::string_view number = std::string_view(wanted).substr(std::min(wanted.size(), std::size_t{5}));
  const auto [end, status] = std::from_chars(number.data(), number.data() + number.size(), ordinal);
  if (!wanted.starts_with("cuda:") || status != std::errc{} || end != number.data() + number.size() ||
      ordinal < 0) {
    throw UsageError(fmt::format("--device: '{}' is no device; use auto, host, cuda or cuda:K", wanted));
  }
  if (static_cast<std::size_t>(ordinal) >= gpus.size()) {
    throw UsageError(fmt::format("--device {}: there are {} GPUs here", wanted, gpus.size()));
  }
  return gpus[static_cast<std::size_t>(ordinal)];
}

kernels::Placement bind_rank(World& world, const BindingOptions& options,
                             std::span<const kernels::Device> gpus) {
  const Topology topology;
  kernels::Placement placement;
  placement.device = choose_device(options, gpus, host_device(), world.local_rank());
  if (!options.allow_sharing) refuse_shared_gpu(world, placement.device);
  if (options.policy == BindPolicy::divide) {
    CpuShare share = divide_cpus(usable(topology.cores(), allowed_cpus()), world.local_size())
                         .at(static_cast<std::size_t>(world.local_rank()));
    placement.cpus = std::move(share.cpus);
    placement.numa_nodes = std::move(share.numa_nodes);
    bind_this_thread(placement.cpus);
  } else {
    placement.cpus = current_mask();
    for (const int cpu : placement.cpus) {
      const int node = topology.numa_node_of(cpu);
      if (std::ranges::find(placement.numa_nodes, node) == placement.numa_nodes.end())
        placement.numa_nodes.push_back(node);
    }
  }
  return placement;
}

Attributes binding_facts(const kernels::Placement& placement) {
  const std::vector<int> mask = current_mask();
  unsigned cpu = 0, node = 0;
  if (getcpu(&cpu, &node) != 0) throw Error("getcpu failed");
  Attributes facts;
  facts["device"] = placement.device.id;
  facts["device_name"] = placement.device.name;
  facts["device_uuid"] = placement.device.uuid;
  facts["device_memory_bytes"] = static_cast<std::int64_t>(placement.device.memory_bytes);
  facts["memory_model"] = std::string(kernels::to_string(placement.device.memory_model));
  for (const auto& [name, value] : placement.device.attributes) facts["device_" + name] = value;
  if (placement.device.memory_model == kernels::MemoryModel::coherent)
    facts["coherent_memory_mode"] = ledger::coherent_memory_mode();
  facts["cpus"] = format_cpu_list(placement.cpus);
  facts["numa_nodes"] = format_cpu_list(placement.numa_nodes);
  facts["observed_cpu_mask"] = format_cpu_list(mask);
  facts["observed_cpu"] = static_cast<std::int64_t>(cpu);
  facts["observed_numa_node"] = static_cast<std::int64_t>(node);
  return facts;
}

std::string format_cpu_list(std::span<const int> cpus) {
  std::string text;
  for (std::size_t i = 0; i < cpus.size();) {
    std::size_t last = i;
    while (last + 1 < cpus.size() && cpus[last + 1] == cpus[last] + 1) ++last;
    text += fmt::format("{}{}", text.empty() ? "" : ",", cpus[i]);
    if (last > i) text += fmt::format("-{}", cpus[last]);
    i = last + 1;
  }
  return text;
}

}  // namespace sparkmpi::mpi
