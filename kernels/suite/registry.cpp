#include "kernels/registry.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <vector>

#include "base/error.hpp"
#include "base/near_match.hpp"
#include "kernels/charge/charge_kernel.hpp"
#include "kernels/gemm/gemm_kernel.hpp"
#include "kernels/inference/inference_kernel.hpp"
#include "kernels/kv_budget/kv_budget_kernel.hpp"
#include "kernels/pressure/pressure_kernel.hpp"
#include "kernels/stream/stream_kernel.hpp"

namespace sparkmpi::kernels {

std::span<const KernelInfo> registry() {
  static const std::array kernels = {
      inference::info(), kv_budget::info(), charge::info(), pressure::info(), stream::info(), gemm::info(),
  };
  return kernels;
}

const KernelInfo& find_kernel(std::string_view name) {
  std::vector<std::string_view> names;
  for (const KernelInfo& kernel : registry()) {
    if (kernel.name == name) return kernel;
    names.push_back(kernel.name);
  }
  throw UsageError(fmt::format("there is no kernel '{}'{}; `sparkmpi list kernels` shows what there is", name,
                               did_you_mean(name, names)));
}

}  // namespace sparkmpi::kernels
