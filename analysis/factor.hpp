#pragma once
// What a comparison may be by: the value of a factor for each observation.

#include <string>
#include <string_view>
#include <vector>

#include "analysis/table.hpp"

namespace sparkmpi::analysis {

/// A factor with one level for everything.
inline constexpr std::string_view kEveryLaunch = "all launches";

/// The factor that says over how many ranks a model is divided.
inline constexpr std::string_view kTensorParallel = "tp";
/// What the point's parameters, or else its facts, say of it; empty where neither does.
const std::string& tensor_parallel_degree(const Point& point);

class FactorColumn {
 public:
  /// Throws UsageError when no observation has the factor, with near names.
  FactorColumn(const Table& table, std::string_view factor);
  /// Empty where an observation lacks it.
  const std::string& of(const Series& series) const;

 private:
  enum class Kind : std::uint8_t { launch, point, rank };
  Kind kind_ = Kind::launch;
  std::vector<std::string> values_;  ///< by launch, point or rank
  const Table& table_;
};

/// The factors that the table has, for messages and for choosing.
std::vector<std::string> factors_of(const Table& table);

}  // namespace sparkmpi::analysis
