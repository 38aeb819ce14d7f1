#pragma once
// What a kernel can be told on the command line, declared as data; cli/ turns it into options and a cross
// product.

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

#include "base/attributes.hpp"

namespace sparkmpi::kernels {

enum class OptionKind : std::uint8_t {
  integer,  ///< whole number
  real,     ///< decimal number
  bytes,    ///< whole number of bytes, with suffixes
  text,     ///< anything; the kernel validates it
  flag,     ///< present or not: 1 or 0
};

struct OptionSpec {
  std::string_view name;  ///< long name without dashes: "footprint"
  char short_name = 0;    ///< 0: none
  OptionKind kind = OptionKind::text;
  std::string_view
      default_value;  ///< as typed by a user; empty: unset, and the kernel sees no such parameter
  bool list = false;  ///< takes lists and ranges; each value makes a point
  double minimum = -std::numeric_limits<double>::infinity();  ///< for integer, real, bytes
  double maximum = std::numeric_limits<double>::infinity();
  std::string_view help;  ///< one line
};

/// Typed access to a point's parameters. Each throws UsageError naming the option when it is missing or of
/// another kind.
class Parameters {
 public:
  explicit Parameters(Attributes values) : values_(std::move(values)) {}
  bool has(std::string_view name) const { return values_.contains(name); }
  std::int64_t integer(std::string_view name) const;
  double real(std::string_view name) const;
  const std::string& text(std::string_view name) const;
  bool flag(std::string_view name) const;
  const Attributes& all() const { return values_; }

 private:
  Attributes values_;
};

}  // namespace sparkmpi::kernels
