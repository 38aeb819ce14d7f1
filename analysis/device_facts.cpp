#include "analysis/device_facts.hpp"

#include <algorithm>
#include <array>
#include <cctype>

namespace sparkmpi::analysis {
namespace {

struct Entry {
  std::string_view name;
  std::string_view marketing;  ///< part of the driver's name
  double memory_gib, bandwidth_gb_per_s;
  std::string_view source;
};

constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

// GB10's memory is what its driver reports of the 128 GB pool.
constexpr std::array<Entry, 8> kEntries = {{
    {"gb10", "GB10", 119.7, 273, "DGX Spark data sheet; memory as cudaMemGetInfo reports it"},
    {"gh200", "GH200 480GB", 95.6, 4000, "GH200 data sheet, 96 GB HBM3"},
    {"h100-sxm", "H100 80GB HBM3", 80, 3350, "H100 data sheet"},
    {"h100-pcie", "H100 PCIe", 80, 2000, "H100 data sheet"},
    {"h200", "H200", 141e9 / kGiB, 4800, "H200 data sheet"},
    {"a100-80gb", "A100-SXM4-80GB", 80, 2039, "A100 data sheet"},
    {"b200", "B200", 180e9 / kGiB, 8000, "DGX B200 data sheet"},
    {"rtx-4090", "RTX 4090", 24, 1008, "GeForce RTX 4090 specification"},
}};

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
    if (wanted != entry.name && wanted.find(lower(entry.marketing)) == std::string::npos) continue;
    return DeviceFacts{std::string(entry.name), entry.memory_gib * kGiB, entry.bandwidth_gb_per_s * 1e9,
                       std::string(entry.source)};
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
