#pragma once
// Lists and ranges of numbers as llama-bench takes them: "512,2048", "512-4096*2", "1-8+1".

#include <cstdint>
#include <string_view>
#include <vector>

namespace sparkmpi {

/// "512,2048" lists; "first-last" steps by 1, "first-last+step" adds, "first-last*factor" multiplies (last is
/// included when hit). Elements may be ranges themselves and may carry byte suffixes (parse_bytes) when
/// `bytes` is true.
/// @param what names the option for the message. Throws UsageError on malformed, empty, descending or endless
/// ranges
///        and on more than 10,000 values.
std::vector<std::int64_t> parse_integer_list(std::string_view text, std::string_view what,
                                             bool bytes = false);

/// The items between commas, each non-empty. Throws UsageError on an empty item.
std::vector<std::string_view> split_list(std::string_view text, std::string_view what);

}  // namespace sparkmpi
