#include "cli/plan_builder.hpp"

#include <fmt/format.h>

#include <charconv>
#include <cmath>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/value_list.hpp"

namespace sparkmpi::cli {
namespace {

using kernels::OptionKind;
using kernels::OptionSpec;

constexpr std::size_t kMostPoints = 10'000;

std::string written(double bound, bool bytes) {
  return bytes ? format_bytes(bound) : fmt::format("{:.10g}", bound);
}

void require_range(const OptionSpec& option, double value, std::string_view typed) {
  if (value >= option.minimum && value <= option.maximum) return;
  const bool bytes = option.kind == OptionKind::bytes;
  if (value < option.minimum)
    throw UsageError(
        fmt::format("--{} {}: at least {} is needed", option.name, typed, written(option.minimum, bytes)));
  throw UsageError(
      fmt::format("--{} {}: at most {} is possible", option.name, typed, written(option.maximum, bytes)));
}

double parse_real(const OptionSpec& option, std::string_view typed) {
  double value = 0;
  const auto [end, status] = std::from_chars(typed.data(), typed.data() + typed.size(), value);
  if (status != std::errc{} || end != typed.data() + typed.size() || !std::isfinite(value))
    throw UsageError(fmt::format("--{}: '{}' is no number", option.name, typed));
  return value;
}

/// The option's values; none when it is unset.
std::vector<Attribute> values_of(const OptionSpec& option, std::string_view typed) {
  std::vector<Attribute> values;
  const std::string what = fmt::format("--{}", option.name);
  if (typed.empty() && option.kind != OptionKind::flag) return {};
  switch (option.kind) {
    case OptionKind::flag:
      return {std::int64_t{typed.empty() ? 0 : 1}};
    case OptionKind::text:
      if (!option.list) return {std::string(typed)};
      for (const std::string_view item : split_list(typed, what)) values.emplace_back(std::string(item));
      return values;
    case OptionKind::real: {
      const double value = parse_real(option, typed);
      require_range(option, value, typed);
      return {value};
    }
    case OptionKind::integer:
    case OptionKind::bytes:
      for (const std::int64_t value : parse_integer_list(typed, what, option.kind == OptionKind::bytes)) {
        require_range(option, static_cast<double>(value), typed);
        values.emplace_back(value);
      }
      if (!option.list && values.size() > 1)
        throw UsageError(fmt::format("--{} {}: takes one value", option.name, typed));
      return values;
  }
  return values;
}

}  // namespace

void add_points(const kernels::KernelInfo& kernel, const TypedOptions& typed, kernels::Plan& plan) {
  std::vector<Attributes> points(1);
  for (const OptionSpec& option : kernel.options) {
    const auto found = typed.find(option.name);
    if (found != typed.end() && found->second.empty())
      throw UsageError(fmt::format("--{} needs a value", option.name));
    const std::vector<Attribute> values =
        values_of(option, found == typed.end() ? option.default_value : found->second);
    if (values.empty()) continue;
    std::vector<Attributes> product;
    if (points.size() * values.size() > kMostPoints)
      throw UsageError(
          fmt::format("{}: the lists make more than {} points; shorten them", kernel.name, kMostPoints));
    for (const Attributes& point : points) {
      for (const Attribute& value : values) {
        product.push_back(point);
        product.back()[std::string(option.name)] = value;
      }
    }
    points = std::move(product);
  }
  for (Attributes& parameters : points)
    plan.push_back(
        {&kernel, {static_cast<int>(plan.size()), std::string(kernel.name), std::move(parameters)}});
}

}  // namespace sparkmpi::cli
