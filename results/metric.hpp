#pragma once
// A metric's declaration. Each kernel declares its own beside its code; `sparkmpi list metrics` prints them
// all.

#include <cstdint>
#include <string_view>

namespace sparkmpi::results {

enum class Better : std::uint8_t { higher, lower, neither };
enum class Origin : std::uint8_t { measured, derived, assumed };

/// Names carry their unit: `decode_tokens_per_s`, `kv_cache_bytes`, `token_time_s`.
struct MetricInfo {
  std::string_view name;
  std::string_view unit;  ///< UDUNITS spelling: "s", "B", "B/s", "1/s", "1"; and "flop/s"
  Better better = Better::neither;
  Origin origin = Origin::measured;
  std::string_view meaning;  ///< one line for a person
};

}  // namespace sparkmpi::results
