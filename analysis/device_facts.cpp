#include "analysis/device_facts.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>

#include "kernels/device/datasheet.hpp"

namespace sparkmpi::analysis {
namespace {

struct Entry {
  std::string_view name;
  std::string_view driver_name;  ///< as kernels::datasheet_of() knows it, which has the bandwidth
  double memory_gib;
  std::string_view memory_source;
};

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// GB10's memory is what its driver reports of the 128 GB pool.
constexpr std::array kEntries = {
    Entry{"gb10", "NVIDIA GB10", 119.7, "as cudaMemGetInfo reports it"},
    Entry{"gh200", "NVIDIA GH200 480GB", 95.6, "96 GB HBM3"},
    Entry{"h100-sxm", "NVIDIA H100 80GB HBM3", 80, "80 GB"},
    Entry{"h100-pcie", "NVIDIA H100 PCIe", 80, "80 GB"},
    Entry{"h200", "NVIDIA H200", 141e9 / kGiB, "141 GB"},
    Entry{"a100-80gb", "NVIDIA A100-SXM4-80GB", 80, "80 GB"},
    Entry{"b200", "NVIDIA B200", 180e9 / kGiB, "180 GB"},
    Entry{"rtx-4090", "NVIDIA GeForce RTX 4090", 24, "24 GB"},
};

std::string lower(std::string_view text) {
  std::string out(text);
  std::ranges::transform(out, out.begin(),
                         [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

}  // namespace

std::optional<DeviceFacts> find_device(std::string_view name) {
  const std::string wanted = lower(name);
  for (const Entry& entry : kEntries) {
    if (wanted != entry.name && wanted != lower(entry.driver_name)) continue;
    const kernels::Datasheet datasheet = kernels::datasheet_of(entry.driver_name);
    return DeviceFacts{std::string(entry.name), entry.memory_gib * kGiB, datasheet.memory_bytes_per_s,
                       fmt::format("{}; memory: {}", datasheet.source, entry.memory_source)};
  }
  return std::nullopt;
}

std::vector<std::string_view> device_names() {
  std::vector<std::string_view> names;
  names.reserve(kEntries.size());
  for (const Entry& entry : kEntries) names.push_back(entry.name);
  return names;
}

}  // namespace sparkmpi::analysis
