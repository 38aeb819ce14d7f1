#pragma once
// What a rank and its sacrificial child say to each other.

#include <cstdint>
#include <optional>
#include <string>

#include "kernels/child/channel.hpp"
#include "kernels/pressure/refusal.hpp"

namespace sparkmpi::kernels::pressure {

/// What a child is told on its command line, behind kSubCommand.
struct ChildOptions {
  std::string allocator;
  int gpu = -1;  ///< CUDA ordinal; -1: no GPU is touched
  double floor = 0;
  bool until_killed = false;
};
inline constexpr const char* kSubCommand = "pressure-child";

/// From the rank: hold this much in all.
child::Record encode_target(std::uint64_t bytes);
/// Throws Error when the bytes are none of encode_target().
std::uint64_t decode_target(const child::Record& record);

/// From the child, once when it is ready (holding 0) and then after each target.
struct Report {
  std::uint64_t held = 0;  ///< bytes granted and touched in all
  double allocate_s = 0;   ///< in the allocator's call
  double touch_s = 0;      ///< writing every page
  double resident = 0;     ///< of the child as /proc/self/statm says it, in bytes
  std::optional<Refusal> refusal;
};
child::Record encode(const Report& report);
/// Throws Error when the bytes are none of encode().
Report decode_report(const child::Record& record);

}  // namespace sparkmpi::kernels::pressure
