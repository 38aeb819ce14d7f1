#pragma once
// What a device can do at most, for data whose files don't say it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::analysis {

struct DeviceFacts {
  std::string name;
  double memory_bytes = 0;           ///< that the device offers to programs
  double bandwidth_bytes_per_s = 0;  ///< of its memory, by the data sheet
  std::string source;
};

/// By short name ("gb10", "h100-sxm", …) or by what a driver calls it ("NVIDIA GB10"). Nothing for an unknown
/// one.
std::optional<DeviceFacts> find_device(std::string_view name);
/// The short names that there are.
std::vector<std::string_view> device_names();

}  // namespace sparkmpi::analysis
