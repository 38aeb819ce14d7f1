#pragma once
// How fast a GPU was allowed to run while it was measured: clocks, power, temperature and what held it back.

#include <array>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/device/device.hpp"
#include "kernels/recorder.hpp"
#include "ledger/nvml.hpp"
#include "results/metric.hpp"

namespace sparkmpi::kernels {

/// The series that GpuStateLog fills, for a kernel's table of metrics. All are on the axis "gpu_state",
/// beside the label "operation".
inline constexpr results::MetricInfo kSmClock = {"gpu_sm_clock_hz", "Hz", results::Better::neither,
                                                 results::Origin::measured,
                                                 "clock of the multiprocessors while measuring"};
inline constexpr results::MetricInfo kMemoryClock = {"gpu_memory_clock_hz", "Hz", results::Better::neither,
                                                     results::Origin::measured,
                                                     "clock of the memory while measuring"};
inline constexpr results::MetricInfo kPower = {"gpu_power_w", "W", results::Better::neither,
                                               results::Origin::measured, "power draw, as NVML averages it"};
inline constexpr results::MetricInfo kTemperature = {"gpu_temperature_degc", "degC", results::Better::neither,
                                                     results::Origin::measured, "temperature of the GPU"};
inline constexpr results::MetricInfo kThrottled = {"gpu_throttled", "1", results::Better::neither,
                                                   results::Origin::measured,
                                                   "1: clocks held down by power, heat or the board; 0: not"};

/// NVML's reasons (nvmlClocksEventReasons of nvml.h) that mean a GPU runs below the clock it was asked for:
/// "power cap, heat"; empty for none. Idle, application clocks and sync boost are no throttling.
std::string throttle_text(std::uint64_t reasons);

/// Reads NVML and appends. Without NVML, or for a GPU that it does not know, nothing is recorded.
class GpuStateLog {
 public:
  /// @param recorder outlives the log.
  GpuStateLog(const Device& device, Recorder& recorder);
  /// One reading, labelled with what is being measured. Takes about a millisecond.
  void record(std::string_view operation);
  /// The fact "throttled_by", when any reading was throttled.
  void finish();

 private:
  Recorder& recorder_;
  std::unique_ptr<ledger::NvmlLedger> nvml_;  ///< null without NVML
  std::uint64_t reasons_ = 0;                 ///< of all readings
};

}  // namespace sparkmpi::kernels
