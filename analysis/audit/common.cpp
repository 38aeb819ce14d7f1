#include <fmt/format.h>

#include <algorithm>

#include "analysis/audit/check.hpp"

namespace sparkmpi::analysis::checks {

std::map<std::string, std::vector<Unit>> by_environment(const Input& input, const Question& question) {
  std::map<std::string, std::vector<Unit>> environments;
  for (const Unit& unit : question.units) environments[input.launch(unit).environment].push_back(unit);
  for (auto& [environment, units] : environments)
    std::ranges::sort(units, {}, [&](const Unit& unit) { return input.launch(unit).position; });
  return environments;
}

bool is_outcome(const Metric& metric) {
  return metric.better != results::Better::neither || metric.unit == "B";
}

std::string counted(std::size_t count, std::string_view noun) {
  if (count == 1) return fmt::format("1 {}", noun);
  return fmt::format("{} {}{}", count, noun, noun.ends_with("ch") ? "es" : "s");
}

}  // namespace sparkmpi::analysis::checks
