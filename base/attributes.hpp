#pragma once
// Named scalar facts: parameters of a kernel, provenance of a run, facts about a rank.

#include <cstdint>
#include <map>
#include <string>
#include <variant>

namespace sparkmpi {

using Attribute = std::variant<std::int64_t, double, std::string>;
using Attributes = std::map<std::string, Attribute, std::less<>>;

/// The value as a person reads it: integers plain, reals with up to six significant digits.
std::string to_string(const Attribute& value);

}  // namespace sparkmpi
