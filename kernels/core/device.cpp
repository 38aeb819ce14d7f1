#include "kernels/device/device.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace sparkmpi::kernels {

std::string_view to_string(MemoryModel model) {
  switch (model) {
    case MemoryModel::host:
      return "host";
    case MemoryModel::discrete_limited:
      return "discrete, limited";
    case MemoryModel::discrete:
      return "discrete";
    case MemoryModel::managed:
      return "managed";
    case MemoryModel::hmm:
      return "hmm";
    case MemoryModel::coherent:
      return "coherent";
    case MemoryModel::integrated:
      return "integrated";
  }
  return "unknown";
}

std::vector<int> chosen_cpus(const Placement& placement, std::int64_t threads) {
  if (threads > static_cast<std::int64_t>(placement.cpus.size()))
    throw UsageError(fmt::format("--threads {}: this rank has {} cores", threads, placement.cpus.size()));
  std::vector<int> cpus = placement.cpus;
  if (threads > 0) cpus.resize(static_cast<std::size_t>(threads));
  return cpus;
}

}  // namespace sparkmpi::kernels
