#pragma once
// Fields of a config.json, each fault named.

#include <fmt/format.h>

#include <cmath>
#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>

#include "base/error.hpp"
#include "kernels/inference/weight_format.hpp"

namespace sparkmpi::kernels::inference {

// Far above any model there is.
inline constexpr std::int64_t kLargestField = 1 << 20;
inline constexpr std::int64_t kMostPositions = std::int64_t{1} << 40;

/// A view of a JSON object; the readers throw UsageError for what is missing or senseless.
class ConfigFields {
 public:
  using Json = nlohmann::json;
  ConfigFields(const Json& json, std::string_view where) : json_(json), where_(where) {}

  bool has(const char* name) const { return json_.contains(name) && !json_.at(name).is_null(); }
  const Json& at(const char* name) const { return json_.at(name); }

  std::int64_t whole(const char* name, std::int64_t least, std::int64_t most = kLargestField) const {
    if (!has(name)) throw bad(name, "is missing");
    const Json& value = json_.at(name);
    if (!value.is_number_integer()) throw bad(name, "is no whole number");
    const bool huge =
        value.is_number_unsigned() && value.get<std::uint64_t>() > static_cast<std::uint64_t>(most);
    if (huge || value.get<std::int64_t>() < least || value.get<std::int64_t>() > most) {
      throw bad(name, fmt::format("is not between {} and {}", least, most));
    }
    return value.get<std::int64_t>();
  }
  std::int64_t whole_or(const char* name, std::int64_t otherwise, std::int64_t least,
                        std::int64_t most = kLargestField) const {
    return has(name) ? whole(name, least, most) : otherwise;
  }

  double positive(const char* name) const {
    if (!has(name)) throw bad(name, "is missing");
    const Json& value = json_.at(name);
    if (!value.is_number() || !std::isfinite(value.get<double>()) || value.get<double>() <= 0) {
      throw bad(name, "is no positive number");
    }
    return value.get<double>();
  }
  double positive_or(const char* name, double otherwise) const {
    return has(name) ? positive(name) : otherwise;
  }

  bool truth(const char* name, bool otherwise) const {
    if (!has(name)) return otherwise;
    if (!json_.at(name).is_boolean()) throw bad(name, "is neither true nor false");
    return json_.at(name).get<bool>();
  }

  std::string text(const char* name) const {
    if (!has(name)) throw bad(name, "is missing");
    if (!json_.at(name).is_string()) throw bad(name, "is no text");
    return json_.at(name).get<std::string>();
  }
  std::string text_or(const char* name, const char* otherwise) const {
    return has(name) ? text(name) : otherwise;
  }

  ConfigFields object(const char* name) const {
    if (!has(name)) throw bad(name, "is missing");
    if (!json_.at(name).is_object()) throw bad(name, "is no object");
    return {json_.at(name), where_};
  }

  UsageError bad(std::string_view field, std::string_view why) const {
    return UsageError(fmt::format("{}: '{}' {}", where_, field, why));
  }

 private:
  const Json& json_;
  std::string_view where_;
};

/// The format that "quantization_config" says, BF16 without one. Throws UsageError for one that this engine
/// lacks, by name.
WeightFormat read_quantization(const ConfigFields& fields);

}  // namespace sparkmpi::kernels::inference
