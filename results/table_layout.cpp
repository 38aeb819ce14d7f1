#include "results/table_layout.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>
#include <set>

namespace sparkmpi::results {
namespace {

constexpr const char* kMissing = "missing_ranks";
constexpr const char* kRankScale = "rank";

/// One fact over all ranks; null where a rank lacks it.
using Column = std::vector<const Attribute*>;

template <class T>
bool all_hold(const Column& column) {
  return std::ranges::all_of(
      column, [](const Attribute* value) { return value != nullptr && std::holds_alternative<T>(*value); });
}

bool any_text(const Column& column) {
  return std::ranges::any_of(column, [](const Attribute* value) {
    return value != nullptr && std::holds_alternative<std::string>(*value);
  });
}

double as_double(const Attribute* value) {
  if (value == nullptr) return std::numeric_limits<double>::quiet_NaN();
  if (const auto* integer = std::get_if<std::int64_t>(value)) return static_cast<double>(*integer);
  return std::get<double>(*value);
}

h5::Handle write_column(hid_t group, const std::string& name, const Column& column) {
  const h5::Shape shape = {column.size()};
  if (any_text(column)) {
    std::vector<std::string> texts;
    for (const Attribute* value : column)
      texts.push_back(value != nullptr ? to_string(*value) : std::string());
    return h5::write(group, name, shape, texts);
  }
  if (all_hold<std::int64_t>(column)) {
    std::vector<std::int64_t> integers;
    for (const Attribute* value : column) integers.push_back(std::get<std::int64_t>(*value));
    return h5::write(group, name, shape, integers);
  }
  std::vector<double> reals;
  for (const Attribute* value : column) reals.push_back(as_double(value));
  return h5::write(group, name, shape, reals);
}

bool holds_integers(hid_t dataset) {
  const h5::Handle type(H5Dget_type(dataset), H5Tclose, "read a data set's type");
  return H5Tget_class(type.get()) == H5T_INTEGER;
}

}  // namespace

h5::Handle write_rank_scale(hid_t group, std::size_t ranks) {
  std::vector<std::int64_t> numbers(ranks);
  std::iota(numbers.begin(), numbers.end(), 0);
  h5::Handle scale = h5::write(group, kRankScale, {ranks}, numbers);
  h5::make_scale(scale, kRankScale);
  return scale;
}

void write_facts(hid_t group, const h5::Handle& rank_scale, std::span<const Attributes* const> ranks) {
  std::set<std::string> names;
  for (const Attributes* facts : ranks) {
    for (const auto& [name, value] : *facts) names.insert(name);
  }
  for (const std::string& name : names) {
    Column column;
    std::vector<std::int64_t> missing;
    for (std::size_t rank = 0; rank < ranks.size(); ++rank) {
      const auto found = ranks[rank]->find(name);
      column.push_back(found == ranks[rank]->end() ? nullptr : &found->second);
      if (column.back() == nullptr) missing.push_back(static_cast<std::int64_t>(rank));
    }
    const h5::Handle dataset = write_column(group, name, column);
    const h5::Handle* const scales[] = {&rank_scale};
    h5::attach_scales(dataset, scales);
    if (!missing.empty()) h5::write_attribute(dataset.get(), kMissing, missing);
  }
}

std::vector<Attributes> read_facts(hid_t group, std::size_t ranks,
                                   const std::function<bool(std::string_view name)>& wanted) {
  std::vector<Attributes> facts(ranks);
  for (const std::string& name : h5::children(group)) {
    if (name == kRankScale || (wanted && !wanted(name))) continue;
    const h5::Handle dataset = h5::open_dataset(group, name);
    std::vector<std::int64_t> missing;
    if (h5::has_attribute(dataset.get(), kMissing))
      missing = h5::read_integers_attribute(dataset.get(), kMissing);
    const auto put = [&](const auto& values) {
      if (values.size() != ranks) throw h5::Hdf5Error("fact '" + name + "' has not one value for each rank");
      for (std::size_t rank = 0; rank < ranks; ++rank) {
        if (std::ranges::find(missing, static_cast<std::int64_t>(rank)) == missing.end())
          facts[rank][name] = values[rank];
      }
    };
    if (h5::holds_strings(dataset.get())) {
      put(h5::read_strings(dataset.get()));
    } else if (holds_integers(dataset.get())) {
      put(h5::read_integers(dataset.get()));
    } else {
      put(h5::read_doubles(dataset.get()));
    }
  }
  return facts;
}

}  // namespace sparkmpi::results
