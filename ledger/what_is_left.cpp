#include "ledger/what_is_left.hpp"

#include <algorithm>
#include <array>

namespace sparkmpi::ledger {

bool counts_what_is_left(std::string_view reading) {
  const std::string_view field = reading.substr(reading.rfind('.') + 1);
  constexpr std::array<std::string_view, 8> kLeft = {
      "MemFree", "MemAvailable", "SwapFree", "free", "device_free", "CmaFree", "nr_free_pages", "pcp_free"};
  return std::ranges::find(kLeft, field) != kLeft.end();
}

}  // namespace sparkmpi::ledger
