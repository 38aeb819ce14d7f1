#pragma once
// The trees under tests/fixtures/trees, and finding a reading by its name.

#include <algorithm>
#include <stdexcept>
#include <string>
#include <vector>

#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

inline FileRoot tree(const std::string& name) {
  return {std::filesystem::path(SPARKMPI_FIXTURES) / "trees" / name};
}

inline const Reading& reading_of(const std::vector<Reading>& readings, const std::string& name) {
  const auto found = std::ranges::find(readings, name, &Reading::name);
  if (found == readings.end()) throw std::runtime_error("there is no reading " + name);
  return *found;
}

inline std::vector<Reading> read_all(const std::string& tree_name) {
  return standard_ledgers(tree(tree_name)).read();
}

}  // namespace sparkmpi::ledger
