#include "kernels/option.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace sparkmpi::kernels {
namespace {

template <class T>
const T& get(const Attributes& values, std::string_view name, std::string_view kind) {
  const auto found = values.find(name);
  if (found == values.end()) throw UsageError(fmt::format("--{} is missing; give it a value", name));
  const T* value = std::get_if<T>(&found->second);
  if (value == nullptr) {
    throw UsageError(fmt::format("--{}: '{}' is not {}", name, to_string(found->second), kind));
  }
  return *value;
}

}  // namespace

std::int64_t Parameters::integer(std::string_view name) const {
  return get<std::int64_t>(values_, name, "a whole number");
}

double Parameters::real(std::string_view name) const {
  return get<double>(values_, name, "a number");
}

const std::string& Parameters::text(std::string_view name) const {
  return get<std::string>(values_, name, "text");
}

bool Parameters::flag(std::string_view name) const {
  return has(name) && get<std::int64_t>(values_, name, "a flag") != 0;
}

}  // namespace sparkmpi::kernels
