#include "base/value_list.hpp"

#include <fmt/format.h>

#include <charconv>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"

namespace sparkmpi {
namespace {

constexpr std::size_t kMostValues = 10'000;

class RangeParser {
 public:
  RangeParser(std::string_view what, bool bytes) : what_(what), bytes_(bytes) {}

  void append(std::string_view item, std::vector<std::int64_t>& out) const {
    const auto dash = item.find('-', 1);  // a leading minus is a sign, not a range
    if (dash == std::string_view::npos) return push(number(item, item), out);
    const auto step_at = item.find_first_of("+*", dash);
    const std::int64_t first = number(item.substr(0, dash), item);
    const std::int64_t last = number(item.substr(dash + 1, step_at - dash - 1), item);
    const char kind = step_at == std::string_view::npos ? '+' : item[step_at];
    const std::int64_t step =
        step_at == std::string_view::npos ? 1 : number(item.substr(step_at + 1), item, kind == '+');
    if (last < first) throw bad(item, "descends");
    if (kind == '+' ? step < 1 : step < 2 || first < 1) throw bad(item, "never ends");
    for (std::int64_t value = first; value <= last;) {
      push(value, out);
      const bool overflow = kind == '+' ? __builtin_add_overflow(value, step, &value)
                                        : __builtin_mul_overflow(value, step, &value);
      if (overflow) break;
    }
  }

 private:
  void push(std::int64_t value, std::vector<std::int64_t>& out) const {
    if (out.size() == kMostValues)
      throw UsageError(fmt::format("{}: more than {} values", what_, kMostValues));
    out.push_back(value);
  }

  std::int64_t number(std::string_view text, std::string_view item, bool sized = true) const {
    if (bytes_ && sized) return static_cast<std::int64_t>(parse_bytes(text, what_));
    std::int64_t value = 0;
    const char* const end = text.data() + text.size();
    const auto [stop, status] = std::from_chars(text.data(), end, value);
    if (status != std::errc{} || stop != end) throw bad(item, "is no whole number or range");
    return value;
  }

  UsageError bad(std::string_view item, std::string_view why) const {
    return UsageError(fmt::format("{}: '{}' {}; write 512,2048 or 1-8+1 or 512-4096*2", what_, item, why));
  }

  std::string_view what_;
  bool bytes_;
};

}  // namespace

std::vector<std::string_view> split_list(std::string_view text, std::string_view what) {
  std::vector<std::string_view> items;
  while (true) {
    const auto comma = text.find(',');
    const std::string_view item = text.substr(0, comma);
    if (item.empty()) throw UsageError(fmt::format("{}: an empty value in the list", what));
    items.push_back(item);
    if (comma == std::string_view::npos) return items;
    text.remove_prefix(comma + 1);
  }
}

std::vector<std::int64_t> parse_integer_list(std::string_view text, std::string_view what, bool bytes) {
  std::vector<std::int64_t> values;
  const RangeParser parser(what, bytes);
  for (const std::string_view item : split_list(text, what)) parser.append(item, values);
  return values;
}

}  // namespace sparkmpi
