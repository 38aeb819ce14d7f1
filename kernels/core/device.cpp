#include "kernels/device/device.hpp"

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

}  // namespace sparkmpi::kernels
