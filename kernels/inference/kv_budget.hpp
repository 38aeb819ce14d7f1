#pragma once
// How much KV cache to allocate, in the ways in which serving programs are told.

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

namespace sparkmpi::kernels::inference {

enum class KvUnit : std::uint8_t {
  automatic,  ///< what the requests in flight need
  bytes,      ///< "4GiB"
  tokens,     ///< "8192tok"
  fraction,   ///< "0.9*meminfo.MemAvailable": part of what a ledger says after the weights are loaded
};

struct KvBudget {
  KvUnit unit = KvUnit::automatic;
  double amount = 0;   ///< bytes, tokens or fraction
  std::string ledger;  ///< the reading's name, for a fraction
};

/// Throws UsageError, naming --kv-cache, for anything else and for amounts of 0 or less, or fractions
/// above 1.
KvBudget parse_kv_budget(std::string_view text);

/// The number of blocks that a budget allows.
/// @param needed_blocks with which an automatic cache holds all that is in flight at once.
/// @param reading looks a ledger's reading up; nothing when it has no value here. Throws UsageError for a
/// ledger that does not answer, and when the budget is less than one block.
std::int64_t kv_blocks(const KvBudget& budget, std::int64_t needed_blocks, int block_tokens,
                       std::uint64_t block_bytes,
                       const std::function<std::optional<double>(const std::string&)>& reading);

}  // namespace sparkmpi::kernels::inference
