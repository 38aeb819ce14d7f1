#include "ledger/nvml.hpp"

#include <dlfcn.h>
#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"

namespace sparkmpi::ledger {

// The few declarations of nvml.h that are used, so that the build needs no CUDA toolkit. NVML keeps its
// binary interface stable and versions changed functions by suffix (NVML API reference, "Known issues and
// change log").
namespace {

using Status = int;
constexpr Status kSuccess = 0, kNotSupported = 3, kNoPermission = 4, kInsufficientSize = 7;

struct Memory {  // nvmlMemory_t
  unsigned long long total, free, used;
};
struct MemoryV2 {  // nvmlMemory_v2_t
  unsigned int version;
  unsigned long long total, reserved, free, used;
};
constexpr unsigned int kMemoryV2 = sizeof(MemoryV2) | (2U << 24U);
struct Bar1Memory {  // nvmlBAR1Memory_t
  unsigned long long total, free, used;
};
struct ProcessInfo {  // nvmlProcessInfo_t of nvmlDeviceGetComputeRunningProcesses_v3
  unsigned int pid;
  unsigned long long used;
  unsigned int gpu_instance, compute_instance;
};
constexpr unsigned long long kValueNotAvailable = ~0ULL;

constexpr unsigned int kTemperatureGpu = 0, kClockSm = 1, kClockMemory = 2;

Answer answer_of(Status status) {
  switch (status) {
    case kSuccess:
      return Answer::value;
    case kNoPermission:
      return Answer::not_permitted;
    case kNotSupported:
      return Answer::not_supported;
    default:
      return Answer::absent;
  }
}

void push(std::vector<Reading>& out, const char* name, const char* unit, Status status, double value) {
  const Answer answer = answer_of(status);
  out.push_back({fmt::format("nvml.{}", name), unit, answer,
                 answer == Answer::value ? value : std::numeric_limits<double>::quiet_NaN()});
}

/// @param raw what the call filled in, by reference: it is read after the call, in whatever order the
/// compiler evaluates arguments.
template <class Raw>
void push_scaled(std::vector<Reading>& out, const char* name, const char* unit, Status status, const Raw& raw,
                 double scale) {
  push(out, name, unit, status, static_cast<double>(raw) * scale);
}

}  // namespace

struct Nvml::Functions {
  Status (*init)();
  Status (*shutdown)();
  const char* (*error_string)(Status);
  Status (*driver_version)(char*, unsigned int);
  Status (*by_uuid)(const char*, void**);
  Status (*memory)(void*, Memory*);
  Status (*memory_v2)(void*, MemoryV2*);
  Status (*processes)(void*, unsigned int*, ProcessInfo*);
  Status (*bar1)(void*, Bar1Memory*);
  Status (*power)(void*, unsigned int*);
  Status (*energy)(void*, unsigned long long*);
  Status (*temperature)(void*, unsigned int, unsigned int*);
  Status (*clock)(void*, unsigned int, unsigned int*);
  Status (*throttle)(void*, unsigned long long*);
};

namespace {

/// Looks a function up; a driver too old to have it leaves null, which call() turns into "not supported".
template <class Function>
void bind(void* handle, const char* symbol, Function& function) {
  function = reinterpret_cast<Function>(dlsym(handle, symbol));
}

template <class... Parameters, class... Arguments>
Status call(Status (*function)(Parameters...), Arguments... arguments) {
  return function == nullptr ? kNotSupported : function(arguments...);
}

}  // namespace

Nvml::Nvml(const std::string& library) {
  handle_ = dlopen(library.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (handle_ == nullptr) {
    reason_ = fmt::format("NVML is not here: {}", dlerror());
    return;
  }
  auto functions = std::make_unique<Functions>();
  bind(handle_, "nvmlInit_v2", functions->init);
  bind(handle_, "nvmlShutdown", functions->shutdown);
  bind(handle_, "nvmlErrorString", functions->error_string);
  bind(handle_, "nvmlSystemGetDriverVersion", functions->driver_version);
  bind(handle_, "nvmlDeviceGetHandleByUUID", functions->by_uuid);
  bind(handle_, "nvmlDeviceGetMemoryInfo", functions->memory);
  bind(handle_, "nvmlDeviceGetMemoryInfo_v2", functions->memory_v2);
  bind(handle_, "nvmlDeviceGetComputeRunningProcesses_v3", functions->processes);
  bind(handle_, "nvmlDeviceGetBAR1MemoryInfo", functions->bar1);
  bind(handle_, "nvmlDeviceGetPowerUsage", functions->power);
  bind(handle_, "nvmlDeviceGetTotalEnergyConsumption", functions->energy);
  bind(handle_, "nvmlDeviceGetTemperature", functions->temperature);
  bind(handle_, "nvmlDeviceGetClockInfo", functions->clock);
  bind(handle_, "nvmlDeviceGetCurrentClocksThrottleReasons", functions->throttle);
  if (functions->init == nullptr || functions->shutdown == nullptr || functions->by_uuid == nullptr) {
    reason_ = fmt::format("{} is no NVML library: nvmlInit_v2 is missing", library);
    return;
  }
  if (const Status status = functions->init(); status != kSuccess) {
    reason_ =
        fmt::format("NVML does not start: {}",
                    functions->error_string != nullptr ? functions->error_string(status) : "unknown error");
    return;
  }
  functions_ = std::move(functions);
}

Nvml::~Nvml() {
  if (functions_) functions_->shutdown();
  if (handle_ != nullptr) dlclose(handle_);
}

std::string Nvml::driver_version() const {
  std::string version(80, '\0');  // NVML_SYSTEM_DRIVER_VERSION_BUFFER_SIZE
  const Status status =
      call(functions_->driver_version, version.data(), static_cast<unsigned int>(version.size()));
  return status == kSuccess ? std::string(version.c_str()) : std::string();
}

NvmlLedger::NvmlLedger(std::shared_ptr<const Nvml> nvml, const std::string& gpu_uuid, std::uint32_t pid)
    : nvml_(std::move(nvml)), pid_(pid) {
  if (nvml_->functions().by_uuid(gpu_uuid.c_str(), &device_) != kSuccess) {
    throw Error(
        fmt::format("NVML does not know the GPU {}; CUDA and NVML see different devices here", gpu_uuid));
  }
}

void NvmlLedger::read(std::vector<Reading>& out) {
  read_memory(out);
  read_process(out);
  read_state(out);
}

void NvmlLedger::read_memory(std::vector<Reading>& out) const {
  const Nvml::Functions& nvml = nvml_->functions();
  // Version 2 keeps the driver's own reserve apart from what is used; version 1 adds it to "used".
  MemoryV2 memory{kMemoryV2, 0, 0, 0, 0};
  Status status = call(nvml.memory_v2, device_, &memory);
  Status reserved_status = status;
  if (status != kSuccess) {
    Memory first{};
    status = call(nvml.memory, device_, &first);
    memory = {kMemoryV2, first.total, 0, first.free, first.used};
    reserved_status = kNotSupported;
  }
  push(out, "device_total", "B", status, static_cast<double>(memory.total));
  push(out, "device_used", "B", status, static_cast<double>(memory.used));
  push(out, "device_free", "B", status, static_cast<double>(memory.free));
  push(out, "device_reserved", "B", reserved_status, static_cast<double>(memory.reserved));
  Bar1Memory bar1{};
  push_scaled(out, "bar1_used", "B", call(nvml.bar1, device_, &bar1), bar1.used, 1);
}

void NvmlLedger::read_process(std::vector<Reading>& out) const {
  const Nvml::Functions& nvml = nvml_->functions();
  std::vector<ProcessInfo> processes(64);
  auto count = static_cast<unsigned int>(processes.size());
  Status status = call(nvml.processes, device_, &count, processes.data());
  if (status == kInsufficientSize) {
    processes.resize(count + 16);  // a few more may have started meanwhile
    count = static_cast<unsigned int>(processes.size());
    status = call(nvml.processes, device_, &count, processes.data());
  }
  Reading reading{"nvml.process_used", "B", answer_of(status), std::numeric_limits<double>::quiet_NaN()};
  if (status == kSuccess) {
    // In a PID namespace NVML lists nothing, or numbers that mean other processes here: no answer, not 0.
    reading.answer = Answer::absent;
    for (unsigned int i = 0; i < count; ++i) {
      if (processes[i].pid != pid_) continue;
      const bool known = processes[i].used != kValueNotAvailable;
      reading.answer = known ? Answer::value : Answer::not_supported;
      if (known) reading.value = static_cast<double>(processes[i].used);
    }
  }
  out.push_back(std::move(reading));
}

void NvmlLedger::read_state(std::vector<Reading>& out) const {
  const Nvml::Functions& nvml = nvml_->functions();
  unsigned int milliwatts = 0, celsius = 0, sm_mhz = 0, memory_mhz = 0;
  unsigned long long millijoules = 0, reasons = 0;
  push_scaled(out, "power", "W", call(nvml.power, device_, &milliwatts), milliwatts, 1e-3);
  push_scaled(out, "energy", "J", call(nvml.energy, device_, &millijoules), millijoules, 1e-3);
  push_scaled(out, "temperature", "degC", call(nvml.temperature, device_, kTemperatureGpu, &celsius), celsius,
              1);
  push_scaled(out, "sm_clock", "Hz", call(nvml.clock, device_, kClockSm, &sm_mhz), sm_mhz, 1e6);
  push_scaled(out, "memory_clock", "Hz", call(nvml.clock, device_, kClockMemory, &memory_mhz), memory_mhz,
              1e6);
  push_scaled(out, "throttle_reasons", "1", call(nvml.throttle, device_, &reasons), reasons, 1);
}

}  // namespace sparkmpi::ledger
