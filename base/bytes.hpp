#pragma once
// Byte counts as people write and read them.

#include <cstdint>
#include <string>
#include <string_view>

namespace sparkmpi {

/// Parses "4096", "512M", "1.5GiB", "64k" (case-insensitive; K, M, G, T are powers of 1024, with or without
/// "B" or "iB").
/// @param what names the option or field for the message. Throws UsageError on anything else, on negative
/// values
///        and on values of 2^63 or more.
std::uint64_t parse_bytes(std::string_view text, std::string_view what);

/// "1.50 GiB", "512 KiB", "17 B": the largest binary unit that leaves at least 1, three significant digits.
std::string format_bytes(double bytes);

}  // namespace sparkmpi
