#pragma once
// Numbers with units for people.

#include <string>
#include <string_view>

namespace sparkmpi::results {

/// "12.3 GB/s", "4.57 ms", "1.50 GiB", "41.2": bytes in binary units, rates and times in SI ones, three
/// significant digits; "-" for NaN.
std::string format_quantity(double value, std::string_view unit);

}  // namespace sparkmpi::results
