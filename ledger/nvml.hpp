#pragma once
// What NVIDIA's management library says about one GPU: its memory, this process's share of it, power, clocks,
// throttling.

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// libnvidia-ml.so.1, loaded at run time so that the program starts where there is none.
class Nvml {
 public:
  /// Loads and initialises the library. When that fails, available() is false and reason() says why in one
  /// line.
  /// @param library a file name for the dynamic loader; tests give their own.
  explicit Nvml(const std::string& library = "libnvidia-ml.so.1");
  ~Nvml();
  Nvml(const Nvml&) = delete;             ///< owns a library handle and its initialisation
  Nvml& operator=(const Nvml&) = delete;  ///< owns a library handle and its initialisation

  bool available() const { return functions_ != nullptr; }
  const std::string& reason() const { return reason_; }
  /// "580.159.04"; empty when the driver does not say.
  std::string driver_version() const;

  struct Functions;
  const Functions& functions() const { return *functions_; }

 private:
  void* handle_ = nullptr;
  std::unique_ptr<Functions> functions_;
  std::string reason_;
};

/// Readings of one GPU, "nvml.…": device_used, device_free, device_total, device_reserved (B); process_used
/// (B, this process by NVML's process list, which is empty inside a PID namespace: then Answer::absent);
/// bar1_used (B); power (W); energy (J since the driver loaded); temperature (degC); sm_clock, memory_clock
/// (Hz); throttle_reasons (NVML's bit mask). GB10 answers NOT_SUPPORTED for device memory: stored as
/// Answer::not_supported, never as 0.
class NvmlLedger final : public Ledger {
 public:
  /// @param nvml available. @param gpu_uuid "GPU-…" as CUDA and NVML print it.
  /// @param pid whose memory process_used is. Throws Error when NVML does not know the GPU.
  NvmlLedger(std::shared_ptr<const Nvml> nvml, const std::string& gpu_uuid, std::uint32_t pid);

  std::string_view name() const override { return "nvml"; }
  Cost cost() const override { return Cost::cheap; }
  void read(std::vector<Reading>& out) override;

 private:
  void read_memory(std::vector<Reading>& out) const;
  void read_process(std::vector<Reading>& out) const;
  void read_state(std::vector<Reading>& out) const;

  std::shared_ptr<const Nvml> nvml_;
  void* device_ = nullptr;  ///< nvmlDevice_t
  std::uint32_t pid_;
};

}  // namespace sparkmpi::ledger
