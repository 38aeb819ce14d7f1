#include "kernels/device/gpu_state.hpp"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <utility>
#include <vector>

#include "base/error.hpp"

namespace sparkmpi::kernels {
namespace {

constexpr std::string_view kAxis = "gpu_state";

double value_of(const std::vector<ledger::Reading>& readings, std::string_view name) {
  const auto found = std::ranges::find(readings, name, &ledger::Reading::name);
  return found == readings.end() ? std::numeric_limits<double>::quiet_NaN() : found->value;
}

}  // namespace

std::string throttle_text(std::uint64_t reasons) {
  constexpr std::array<std::pair<std::uint64_t, std::string_view>, 5> kReasons = {{
      {0x04, "power cap"},
      {0x08, "hardware slowdown"},
      {0x20, "heat (software)"},
      {0x40, "heat (hardware)"},
      {0x80, "power brake"},
  }};
  std::string text;
  for (const auto& [bit, name] : kReasons) {
    if ((reasons & bit) != 0) text.append(text.empty() ? "" : ", ").append(name);
  }
  return text;
}

GpuStateLog::GpuStateLog(const Device& device, Recorder& recorder) : recorder_(recorder) {
  const auto nvml = std::make_shared<ledger::Nvml>();
  if (device.kind != DeviceKind::cuda || !nvml->available()) return;
  try {
    nvml_ = std::make_unique<ledger::NvmlLedger>(nvml, device.uuid, static_cast<std::uint32_t>(getpid()));
  } catch (const Error&) {
    // An instance of MIG, a vGPU: measured without its clocks.
  }
}

void GpuStateLog::record(std::string_view operation) {
  if (nvml_ == nullptr) return;
  std::vector<ledger::Reading> readings;
  nvml_->read(readings);
  const double reasons = value_of(readings, "nvml.throttle_reasons");
  const auto bits = std::isnan(reasons) ? 0 : static_cast<std::uint64_t>(reasons);
  reasons_ |= bits;
  recorder_.labels("operation", kAxis).emplace_back(operation);
  recorder_.series(kSmClock.name, kAxis).push_back(value_of(readings, "nvml.sm_clock"));
  recorder_.series(kMemoryClock.name, kAxis).push_back(value_of(readings, "nvml.memory_clock"));
  recorder_.series(kPower.name, kAxis).push_back(value_of(readings, "nvml.power"));
  recorder_.series(kTemperature.name, kAxis).push_back(value_of(readings, "nvml.temperature"));
  const double throttled = throttle_text(bits).empty() ? 0 : 1;
  recorder_.series(kThrottled.name, kAxis).push_back(std::isnan(reasons) ? reasons : throttled);
}

void GpuStateLog::finish() {
  if (const std::string text = throttle_text(reasons_); !text.empty()) recorder_.fact("throttled_by", text);
}

}  // namespace sparkmpi::kernels
