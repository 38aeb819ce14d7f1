#include "base/near_match.hpp"

#include <algorithm>
#include <cctype>
#include <numeric>
#include <vector>

namespace sparkmpi {
namespace {

bool same(char a, char b) {
  return std::tolower(static_cast<unsigned char>(a)) == std::tolower(static_cast<unsigned char>(b));
}

/// Levenshtein's distance by its recurrence, one row at a time.
std::size_t edits(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 0; i < a.size(); ++i) {
    std::size_t diagonal = row[0]++;
    for (std::size_t j = 0; j < b.size(); ++j) {
      const std::size_t replaced = diagonal + (same(a[i], b[j]) ? 0 : 1);
      diagonal = row[j + 1];
      row[j + 1] = std::min({replaced, row[j + 1] + 1, row[j] + 1});
    }
  }
  return row.back();
}

}  // namespace

std::string did_you_mean(std::string_view typed, std::span<const std::string_view> candidates) {
  const std::string_view* best = nullptr;
  std::size_t fewest = 0;
  for (const std::string_view& candidate : candidates) {
    const std::size_t distance = edits(typed, candidate);
    if (best == nullptr || distance < fewest) {
      best = &candidate;
      fewest = distance;
    }
  }
  if (best == nullptr || fewest * 3 > std::max(best->size(), typed.size())) return {};
  return " (did you mean '" + std::string(*best) + "'?)";
}

}  // namespace sparkmpi
