#include "kernels/stream/device_arrays.hpp"

#include <fmt/format.h>

#include <array>

#include "base/error.hpp"

namespace sparkmpi::kernels::stream {
namespace {

constexpr std::array kKinds = {MemoryKind::device, MemoryKind::managed, MemoryKind::pinned,
                               MemoryKind::system};

}  // namespace

std::string_view to_string(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::device:
      return "device";
    case MemoryKind::managed:
      return "managed";
    case MemoryKind::pinned:
      return "pinned";
    case MemoryKind::system:
      return "system";
  }
  return "unknown";
}

MemoryKind parse_memory_kind(std::string_view text) {
  for (const MemoryKind kind : kKinds) {
    if (to_string(kind) == text) return kind;
  }
  throw UsageError(fmt::format("--memory: '{}' is none of device, managed, pinned, system", text));
}

}  // namespace sparkmpi::kernels::stream
