#pragma once
// The lines of a plan file: which option stands where.

#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::launchers::study {

struct PlanLine {
  std::string section, key, value;
  int number = 0;  ///< from 1
};

/// Reads INI as Boost.Program_options does ("[section]", "key = value", "#" starts a comment) and adds the
/// lines' numbers. Throws UsageError, with the line, for what is none of these.
std::vector<PlanLine> plan_lines(const std::string& text, std::string_view file);

}  // namespace sparkmpi::launchers::study
