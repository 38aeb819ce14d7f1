#pragma once
// What the makers promise: memory bandwidth and peak rates by the name that the driver gives a device.

#include <string_view>

#include "kernels/device/number_format.hpp"

namespace sparkmpi::kernels {

/// Peaks of one device as its maker publishes them, at the boost clock and without structured sparsity. NaN
/// where the maker gives no figure or this table does not know it: never a guess.
struct Datasheet {
  double memory_bytes_per_s;
  double fp32_flops_per_s;  ///< ordinary units
  double tf32_flops_per_s;  ///< matrix units, sums in single precision, like the next ones
  double bf16_flops_per_s;  ///< and FP16
  double fp8_flops_per_s;
  std::string_view source;  ///< the document; empty for an unknown device

  double flops_per_s(NumberFormat format) const;
};

/// @param device_name exactly as CUDA gives it ("NVIDIA H100 80GB HBM3"). A name that is not in the table,
/// one of a MIG instance for example, gets NaN throughout.
Datasheet datasheet_of(std::string_view device_name);

}  // namespace sparkmpi::kernels
