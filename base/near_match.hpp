#pragma once
// Suggestions for names that were mistyped.

#include <span>
#include <string>
#include <string_view>

namespace sparkmpi {

/// " (did you mean 'stream'?)" when a candidate is within a third of its length of edits (case counts as
/// none), empty otherwise.
std::string did_you_mean(std::string_view typed, std::span<const std::string_view> candidates);

}  // namespace sparkmpi
