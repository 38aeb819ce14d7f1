#include "kernels/inference/kv_budget.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr std::string_view kTokens = "tok";

double number(std::string_view text, std::string_view whole) {
  double value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || !std::isfinite(value)) {
    throw UsageError(
        fmt::format("--kv-cache: '{}' is none of auto, bytes (4GiB), tokens (8192tok), a ledger's part "
                    "(0.5*meminfo.MemAvailable)",
                    whole));
  }
  return value;
}

}  // namespace

KvBudget parse_kv_budget(std::string_view text) {
  if (text == "auto") return {};
  if (const std::size_t star = text.find('*'); star != std::string_view::npos) {
    const double part = number(text.substr(0, star), text);
    if (part <= 0 || part > 1)
      throw UsageError(
          fmt::format("--kv-cache {}: the part of a ledger lies above 0 and is at most 1", text));
    if (star + 1 == text.size())
      throw UsageError(fmt::format("--kv-cache {}: names no ledger after the '*'", text));
    return {KvUnit::fraction, part, std::string(text.substr(star + 1))};
  }
  if (text.ends_with(kTokens)) {
    const double tokens = number(text.substr(0, text.size() - kTokens.size()), text);
    if (tokens < 1 || tokens != std::floor(tokens) || tokens > 1e15)
      throw UsageError(fmt::format("--kv-cache {}: give a whole number of tokens, at least 1", text));
    return {KvUnit::tokens, tokens, {}};
  }
  const std::uint64_t bytes = parse_bytes(text, "--kv-cache");
  if (bytes == 0) throw UsageError("--kv-cache: 0 bytes hold no token");
  return {KvUnit::bytes, static_cast<double>(bytes), {}};
}

std::int64_t kv_blocks(const KvBudget& budget, std::int64_t needed_blocks, int block_tokens,
                       std::uint64_t block_bytes,
                       const std::function<std::optional<double>(const std::string&)>& reading) {
  double blocks = 0;
  switch (budget.unit) {
    case KvUnit::automatic:
      return needed_blocks;
    case KvUnit::bytes:
      blocks = budget.amount / static_cast<double>(block_bytes);
      break;
    case KvUnit::tokens:
      blocks = std::ceil(budget.amount / block_tokens);
      break;
    case KvUnit::fraction: {
      const std::optional<double> value = reading(budget.ledger);
      if (!value || !std::isfinite(*value)) {
        throw UsageError(fmt::format(
            "--kv-cache: ledger '{}' has no finite value here; `sparkmpi list ledgers` shows those that do",
            budget.ledger));
      }
      blocks = budget.amount * *value / static_cast<double>(block_bytes);
      break;
    }
  }
  if (blocks < 1) {
    throw UsageError(fmt::format("--kv-cache: a block of {} tokens takes {}, more than the budget",
                                 block_tokens, format_bytes(static_cast<double>(block_bytes))));
  }
  return static_cast<std::int64_t>(blocks);
}

}  // namespace sparkmpi::kernels::inference
