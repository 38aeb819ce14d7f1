// The GPU's side: driver, CUDA libraries, NCCL, NVML, and whether a GPU can be used.

#include <fmt/format.h>

#include <filesystem>

#include "base/bytes.hpp"
#include "kernels/device/cuda_module.hpp"
#include "launchers/doctor/checks.hpp"
#include "launchers/doctor/library.hpp"
#include "ledger/nvml.hpp"

namespace sparkmpi::launchers::doctor {
namespace {

namespace fs = std::filesystem;

/// /dev/nvidia0, /dev/nvidia1, …
std::size_t device_nodes() {
  std::size_t count = 0;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator("/dev", failed)) {
    const std::string name = entry.path().filename().string();
    if (name.starts_with("nvidia") && name.size() > 6 &&
        name.find_first_not_of("0123456789", 6) == std::string::npos)
      ++count;
  }
  return count;
}

void check_optional(Findings& findings, const char* subject, std::initializer_list<const char*> names,
                    const char* what_for) {
  for (const char* const name : names) {
    const Library library(name);
    if (!library.loaded()) continue;
    findings.push_back({Level::good, subject, library.path(), ""});
    return;
  }
  findings.push_back({Level::warning, subject,
                      fmt::format("{} can't be loaded: {}", *names.begin(), what_for),
                      "install it, or put its folder into LD_LIBRARY_PATH"});
}

void check_driver(Findings& findings, const Library& libcuda) {
  const auto version = libcuda.function<int (*)(int*)>("cuDriverGetVersion");
  int driver = 0;
  if (version == nullptr || version(&driver) != 0) return;
  for (const int major : {13, 12}) {
    const Library library(fmt::format("libcublasLt.so.{}", major));
    if (library.loaded()) return findings.push_back(judge_driver(driver, major, library.path()));
  }
  findings.push_back(
      {Level::good, "driver", fmt::format("supports CUDA {}.{}", driver / 1000, driver % 1000 / 10), ""});
}

}  // namespace

Finding judge_driver(int driver, int runtime_major, const std::string& library) {
  const std::string text = fmt::format("the driver supports CUDA {}.{}, {} is of CUDA {}", driver / 1000,
                                       driver % 1000 / 10, library, runtime_major);
  if (runtime_major > driver / 1000)
    return {Level::fault, "driver", text,
            fmt::format("update the driver, or install the libraries of CUDA {}", driver / 1000)};
  return {Level::good, "driver", text, ""};
}

Finding judge_gpus(std::size_t gpus, std::size_t nodes, const std::string& libcuda,
                   const std::string& reason) {
  if (gpus > 0) return {Level::good, "GPU", fmt::format("{} can be used", gpus), ""};
  if (nodes == 0 && !libcuda.empty())
    return {Level::warning, "GPU", fmt::format("none here (no /dev/nvidia*, {})", libcuda),
            "on a GPU machine: load the driver; in a container: --gpu, or the tool's own option"};
  if (nodes > 0 && !libcuda.empty())
    return {Level::fault, "GPU", fmt::format("{} device nodes, and no driver library: {}", nodes, libcuda),
            "give the driver's libraries to the container: rootfs enter without --no-gpu, --gpus, CDI"};
  if (nodes == 0)
    return {Level::fault, "GPU", fmt::format("the driver's library is here, and no /dev/nvidia*: {}", reason),
            "give the devices to the container, or load the kernel's module (nvidia-smi as root does)"};
  return {Level::fault, "GPU", reason, "see the reason; nvidia-smi shows the driver's state"};
}

Findings check_gpu() {
  Findings findings;
  const Library libcuda("libcuda.so.1");
  const kernels::CudaModule module;
  findings.push_back(judge_gpus(module.devices().size(), device_nodes(), libcuda.reason(), module.reason()));
  for (const kernels::Device& device : module.devices()) {
    const auto memory = module.memory(device.ordinal);
    findings.push_back({Level::good, device.id,
                        fmt::format("{}, {}, {} of {} free", device.name, to_string(device.memory_model),
                                    format_bytes(static_cast<double>(memory.free)),
                                    format_bytes(static_cast<double>(memory.total))),
                        ""});
  }
  if (!libcuda.loaded()) return findings;
  findings.push_back({Level::good, "libcuda", libcuda.path(), ""});
  check_driver(findings, libcuda);
  const ledger::Nvml nvml;
  if (nvml.available()) {
    findings.push_back(
        {Level::good, "NVML",
         fmt::format("driver {} ({})", nvml.driver_version(), Library("libnvidia-ml.so.1").path()), ""});
  } else {
    findings.push_back({Level::warning, "NVML", nvml.reason(),
                        "without it power, temperature and memory of the device are not recorded"});
  }
  check_optional(findings, "cuBLASLt", {"libcublasLt.so.13", "libcublasLt.so.12"},
                 "matrix products on the GPU need it");
  check_optional(findings, "NCCL", {"libnccl.so.2"}, "collectives between GPUs need it");
  // ncclGetVersion: 22703 is 2.27.3 (nccl.h, NCCL_VERSION; of 2.9 and later).
  int nccl = 0;
  const Library library("libnccl.so.2");
  if (const auto version = library.function<int (*)(int*)>("ncclGetVersion");
      version != nullptr && version(&nccl) == 0)
    findings.back().what += fmt::format(", {}.{}.{}", nccl / 10000, nccl % 10000 / 100, nccl % 100);
  return findings;
}

}  // namespace sparkmpi::launchers::doctor
