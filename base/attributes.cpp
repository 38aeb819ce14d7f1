#include "base/attributes.hpp"

#include <fmt/format.h>

namespace sparkmpi {

std::string to_string(const Attribute& value) {
  struct Print {
    std::string operator()(std::int64_t integer) const { return fmt::format("{}", integer); }
    std::string operator()(double real) const { return fmt::format("{:.6g}", real); }
    std::string operator()(const std::string& text) const { return text; }
  };
  return std::visit(Print{}, value);
}

}  // namespace sparkmpi
