#include "kernels/suite/cuda_interfaces.hpp"

#include <array>
#include <utility>

#include "kernels/inference/cuda/interface.hpp"
#include "kernels/stream/cuda/interface.hpp"

namespace sparkmpi::kernels {

const void* cuda_interface(std::string_view name) {
  // One line for each workload: {its interface's kInterface, the table that its cuda/ folder fills in}.
  static const std::array<std::pair<std::string_view, const void*>, 2> interfaces = {{
      {inference::CudaInference::kInterface, &inference::cuda_inference()},
      {stream::CudaStream::kInterface, &stream::cuda_stream()},
  }};
  for (const auto& [known, table] : interfaces) {
    if (known == name) return table;
  }
  return nullptr;
}

}  // namespace sparkmpi::kernels
