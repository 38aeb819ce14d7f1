#pragma once
// How a file says what it is. The version rises when a reader of the old layout would misread the new one.

#include <cstdint>
#include <string_view>

namespace sparkmpi::results {

inline constexpr std::string_view kFormatName = "sparkmpi-result";
inline constexpr std::int64_t kFormatVersion = 1;

}  // namespace sparkmpi::results
