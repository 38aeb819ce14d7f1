#include "kernels/suite/cuda_interfaces.hpp"

#include <array>
#include <utility>

#include "kernels/charge/cuda/interface.hpp"
#include "kernels/gemm/cuda/interface.hpp"
#include "kernels/inference/cuda/interface.hpp"
#include "kernels/pressure/cuda/interface.hpp"
#include "kernels/stream/cuda/interface.hpp"

namespace sparkmpi::kernels {

const void* cuda_interface(std::string_view name) {
  // One line for each workload: {its interface's kInterface, the table that its cuda/ folder fills in}.
  using Entry = std::pair<std::string_view, const void*>;
  static const std::array interfaces = {
      Entry{charge::CudaAllocators::kInterface, &charge::cuda_side()},
      Entry{gemm::CudaGemm::kInterface, &gemm::cuda_gemm()},
      Entry{inference::CudaInference::kInterface, &inference::cuda_inference()},
      Entry{pressure::CudaPressure::kInterface, &pressure::cuda_pressure()},
      Entry{stream::CudaStream::kInterface, &stream::cuda_stream()},
  };
  for (const auto& [known, table] : interfaces) {
    if (known == name) return table;
  }
  return nullptr;
}

}  // namespace sparkmpi::kernels
