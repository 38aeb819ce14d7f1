#include "ledger/nvidia_driver.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "ledger/field_file.hpp"
#include "ledger/meminfo.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr std::array<std::string_view, 9> kModuleParameters = {"CoherentGPUMemoryMode",
                                                               "EnableUserNUMAManagement",
                                                               "EnableGpuFirmware",
                                                               "EnableResizableBar",
                                                               "EnableStreamMemOPs",
                                                               "MemoryPoolSize",
                                                               "PreserveVideoMemoryAllocations",
                                                               "RegistryDwords",
                                                               "UsePageAttributeTable"};

// Without the prefix "uvm_" that all of them have.
constexpr std::array<std::string_view, 7> kUvmParameters = {
    "disable_hmm",           "ats_mode",
    "page_table_location",   "perf_prefetch_enable",
    "perf_thrashing_enable", "perf_access_counter_migration_enable",
    "exp_gpu_cache_sysmem"};

void add_module_parameters(const FileRoot& root, Attributes& facts) {
  const std::string content = read_text(root / "proc/driver/nvidia/params").value_or("");
  std::string_view rest = content;
  while (!rest.empty()) {
    const std::string_view line = next_line(rest);
    const auto colon = line.find(": ");
    if (colon == std::string_view::npos) continue;
    const std::string_view name = line.substr(0, colon);
    if (std::ranges::find(kModuleParameters, name) != kModuleParameters.end())
      facts[fmt::format("nvidia_{}", name)] = std::string(line.substr(colon + 2));
  }
}

void add_uvm_parameters(const FileRoot& root, Attributes& facts) {
  for (const std::string_view name : kUvmParameters) {
    const std::string value = first_line(root / fmt::format("sys/module/nvidia_uvm/parameters/uvm_{}", name));
    if (!value.empty()) facts[fmt::format("nvidia_uvm_{}", name)] = value;
  }
}

}  // namespace

Attributes nvidia_driver_facts(const FileRoot& root) {
  Attributes facts;
  const std::string version = first_line(root / "proc/driver/nvidia/version");
  if (version.empty()) return facts;
  facts["nvidia_driver"] = version;
  const bool open = version.find("Open Kernel Module") != std::string::npos;
  facts["nvidia_kernel_module"] = std::string(open ? "open" : "proprietary");
  add_module_parameters(root, facts);
  add_uvm_parameters(root, facts);
  return facts;
}

std::string coherent_memory_mode(const FileRoot& root) {
  const std::vector<int> nodes = numa_nodes(root);
  const bool memory_only = std::ranges::any_of(nodes, [&](int node) { return !node_has_cpus(root, node); });
  return memory_only ? "numa" : "cdmm";
}

}  // namespace sparkmpi::ledger
