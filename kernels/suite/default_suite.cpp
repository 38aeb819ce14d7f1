#include "kernels/suite/default_suite.hpp"

#include <array>

namespace sparkmpi::kernels {
namespace {

using Words4 = std::array<std::string_view, 4>;
using Words8 = std::array<std::string_view, 8>;
using Words10 = std::array<std::string_view, 10>;

constexpr Words4 kHostStream = {"--footprint", "1M,16M,256M", "--max-time", "0.2"};
constexpr Words8 kHostInference = {"-p", "128", "-n", "32", "-b", "1,4", "-r", "3"};
constexpr std::array<SuiteEntry, 2> kHost = {{{"stream", kHostStream}, {"inference", kHostInference}}};

constexpr Words4 kGpuStream = {"--footprint", "8M,32M,1G,4G", "--max-time", "0.2"};
constexpr Words4 kGpuGemm = {"--type", "bf16", "--size", "4096,8192"};

constexpr Words10 gpu_inference(std::string_view model) {
  return {"-m", model, "-p", "512", "-n", "128", "-b", "1,8", "-r", "3"};
}
constexpr Words10 kSmall = gpu_inference("SmolLM2-135M"), kMiddle = gpu_inference("Qwen2-1.5B"),
                  kLarge = gpu_inference("Meta-Llama-3-8B");

using GpuSuite = std::array<SuiteEntry, 3>;
constexpr GpuSuite kGpuSmall = {{{"stream", kGpuStream}, {"gemm", kGpuGemm}, {"inference", kSmall}}};
constexpr GpuSuite kGpuMiddle = {{{"stream", kGpuStream}, {"gemm", kGpuGemm}, {"inference", kMiddle}}};
constexpr GpuSuite kGpuLarge = {{{"stream", kGpuStream}, {"gemm", kGpuGemm}, {"inference", kLarge}}};

}  // namespace

std::span<const SuiteEntry> default_suite(std::uint64_t gpu_memory_bytes) {
  constexpr std::uint64_t kGiB = std::uint64_t{1} << 30U;
  if (gpu_memory_bytes == 0) return kHost;
  if (gpu_memory_bytes >= 30 * kGiB) return kGpuLarge;
  return gpu_memory_bytes >= 10 * kGiB ? std::span<const SuiteEntry>(kGpuMiddle) : kGpuSmall;
}

}  // namespace sparkmpi::kernels
