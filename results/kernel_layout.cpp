#include "results/kernel_layout.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>
#include <map>
#include <numeric>
#include <optional>
#include <stdexcept>

#include "results/ledger_layout.hpp"
#include "results/table_layout.hpp"

namespace sparkmpi::results {
namespace {

constexpr std::string_view kParameterPrefix = "parameter.";
constexpr std::string_view kCountSuffix = "_count";
constexpr std::array<std::string_view, 3> kBetter = {"higher", "lower", "neither"};
constexpr std::array<std::string_view, 3> kOrigin = {"measured", "derived", "assumed"};

/// The samples of one axis: how many each rank has, and the scale that all its data sets share.
struct Axis {
  std::vector<std::int64_t> counts;  ///< by rank
  std::size_t length = 0;            ///< the longest
  h5::Handle scale;
};

using Axes = std::map<std::string, Axis>;

void measure(Axes& axes, std::span<const KernelRecord> records) {
  for (std::size_t rank = 0; rank < records.size(); ++rank) {
    for (const Series& series : records[rank].series) {
      Axis& axis = axes[series.axis];
      axis.counts.resize(records.size(), 0);
      const auto count = static_cast<std::int64_t>(series.values.size());
      if (axis.counts[rank] != 0 && axis.counts[rank] != count) {
        throw std::logic_error(fmt::format("metric {} has {} values, others on the axis {} have {}",
                                           series.metric, count, series.axis, axis.counts[rank]));
      }
      axis.counts[rank] = count;
      axis.length = std::max(axis.length, series.values.size());
    }
  }
}

void write_scales(hid_t group, const h5::Handle& rank_scale, Axes& axes) {
  const h5::Handle* const of_rank[] = {&rank_scale};
  for (auto& [name, axis] : axes) {
    std::vector<std::int64_t> numbers(axis.length);
    std::iota(numbers.begin(), numbers.end(), 0);
    axis.scale = h5::write(group, name, {axis.length}, numbers);
    h5::make_scale(axis.scale, name);
    const h5::Handle counts =
        h5::write(group, name + std::string(kCountSuffix), {axis.counts.size()}, axis.counts);
    h5::write_attribute(counts.get(), "long_name",
                        fmt::format("samples that each rank has on the axis {}", name));
    h5::attach_scales(counts, of_rank);
  }
}

void write_metric(hid_t group, const h5::Handle& rank_scale, const Axes& axes, const MetricInfo& info,
                  std::span<const KernelRecord> records) {
  std::string axis_name;
  for (const KernelRecord& record : records) {
    const auto series = std::ranges::find(record.series, info.name, &Series::metric);
    if (series != record.series.end()) axis_name = series->axis;
  }
  if (axis_name.empty()) return;
  const Axis& axis = axes.at(axis_name);
  std::vector<double> values(records.size() * axis.length, std::numeric_limits<double>::quiet_NaN());
  for (std::size_t rank = 0; rank < records.size(); ++rank) {
    const auto series = std::ranges::find(records[rank].series, info.name, &Series::metric);
    if (series == records[rank].series.end()) continue;
    std::ranges::copy(series->values, values.begin() + static_cast<std::ptrdiff_t>(rank * axis.length));
  }
  const h5::Handle dataset = h5::write(group, std::string(info.name), {records.size(), axis.length}, values);
  h5::write_attribute(dataset.get(), "units", std::string(info.unit));
  h5::write_attribute(dataset.get(), "long_name", std::string(info.meaning));
  h5::write_attribute(dataset.get(), "better", std::string(kBetter[static_cast<std::size_t>(info.better)]));
  h5::write_attribute(dataset.get(), "origin", std::string(kOrigin[static_cast<std::size_t>(info.origin)]));
  const h5::Handle* const scales[] = {&rank_scale, &axis.scale};
  h5::attach_scales(dataset, scales);
}

void write_labels(hid_t group, const h5::Handle& rank_scale, const Axes& axes,
                  std::span<const KernelRecord> records) {
  std::map<std::string, std::string> axis_of;
  for (const KernelRecord& record : records) {
    for (const Labels& labels : record.labels) axis_of[labels.name] = labels.axis;
  }
  for (const auto& [name, axis_name] : axis_of) {
    const auto axis = axes.find(axis_name);
    if (axis == axes.end())
      throw std::logic_error(fmt::format("labels {} belong to no axis that has series", name));
    std::vector<std::string> texts(records.size() * axis->second.length);
    for (std::size_t rank = 0; rank < records.size(); ++rank) {
      const auto labels = std::ranges::find(records[rank].labels, name, &Labels::name);
      if (labels == records[rank].labels.end()) continue;
      if (labels->values.size() > axis->second.length)
        throw std::logic_error(fmt::format("labels {} are longer than their axis", name));
      std::ranges::copy(labels->values,
                        texts.begin() + static_cast<std::ptrdiff_t>(rank * axis->second.length));
    }
    const h5::Handle dataset = h5::write(group, name, {records.size(), axis->second.length}, texts);
    const h5::Handle* const scales[] = {&rank_scale, &axis->second.scale};
    h5::attach_scales(dataset, scales);
  }
}

Attributes outcome_facts(const KernelRecord& record) {
  return {{"complete", std::int64_t{record.outcome.complete ? 1 : 0}},
          {"stop_reason", record.outcome.stop_reason},
          {"error", record.outcome.error},
          {"start_s", record.start_s},
          {"end_s", record.end_s}};
}

void write_fact_group(hid_t parent, const std::string& name, std::span<const Attributes> facts) {
  const h5::Handle group = h5::create_group(parent, name);
  const h5::Handle rank_scale = write_rank_scale(group.get(), facts.size());
  std::vector<const Attributes*> pointers;
  for (const Attributes& each : facts) pointers.push_back(&each);
  write_facts(group.get(), rank_scale, pointers);
}

template <class Enum, std::size_t N>
Enum enum_of(const std::array<std::string_view, N>& names, const std::string& name, Enum otherwise) {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? otherwise : static_cast<Enum>(found - names.begin());
}

std::string text_attribute(hid_t object, const std::string& name) {
  return to_string(h5::read_attribute(object, name));
}

void read_outcome(const Attributes& facts, KernelRecord& record) {
  record.outcome.complete = std::get<std::int64_t>(facts.at("complete")) != 0;
  record.outcome.stop_reason = std::get<std::string>(facts.at("stop_reason"));
  record.outcome.error = std::get<std::string>(facts.at("error"));
  record.start_s = std::get<double>(facts.at("start_s"));
  record.end_s = std::get<double>(facts.at("end_s"));
}

/// The axes of a group, each looked at once, for every data set that refers to its scale.
class StoredAxes {
 public:
  explicit StoredAxes(hid_t group) : group_(group) {}
  /// Empty for a data set without a scale.
  const std::string& name_of(hid_t dataset) {
    const std::optional<hobj_ref_t> scale = h5::scale_of(dataset, 1);
    if (!scale) return names_[kNone];
    std::string& name = names_[*scale];
    if (name.empty()) name = h5::scale_name(group_, *scale);
    return name;
  }
  /// How many samples each rank has.
  const std::vector<std::int64_t>& counts_of(const std::string& axis) {
    const auto [entry, fresh] = counts_.try_emplace(axis);
    if (fresh)
      entry->second = h5::read_integers(h5::open_dataset(group_, axis + std::string(kCountSuffix)).get());
    return entry->second;
  }

 private:
  static constexpr hobj_ref_t kNone = std::numeric_limits<hobj_ref_t>::max();
  hid_t group_;
  std::map<hobj_ref_t, std::string> names_;
  std::map<std::string, std::vector<std::int64_t>> counts_;
};

/// A metric or a label: whatever of the group has the dimensions (rank, axis).
void read_series(const h5::Handle& dataset, const std::string& name, const ReadOptions& options,
                 StoredAxes& axes, StoredKernel& kernel) {
  const h5::Shape shape = h5::shape_of(dataset.get());
  if (shape.size() != 2) return;  // scales and counts
  const bool text = h5::holds_strings(dataset.get());
  if (text && !options.labels) return;
  const std::string& axis = axes.name_of(dataset.get());
  StoredMetric metric;
  if (!text) {
    metric = {name, text_attribute(dataset.get(), "units"), text_attribute(dataset.get(), "long_name"),
              enum_of(kBetter, text_attribute(dataset.get(), "better"), Better::neither),
              enum_of(kOrigin, text_attribute(dataset.get(), "origin"), Origin::measured)};
    if (options.metric && !options.metric(metric, axis)) return;
  }
  const std::vector<std::int64_t>& counts = axes.counts_of(axis);
  if (shape[0] != kernel.ranks.size() || counts.size() != shape[0]) {
    throw h5::Hdf5Error(fmt::format("'{}' has not one row for each rank", name));
  }
  const auto rows = [&](const auto& values, auto&& put) {
    for (std::size_t rank = 0; rank < kernel.ranks.size(); ++rank) {
      const auto begin = values.begin() + static_cast<std::ptrdiff_t>(rank * shape[1]);
      const auto count = std::clamp<std::int64_t>(counts[rank], 0, static_cast<std::int64_t>(shape[1]));
      if (count > 0) put(kernel.ranks[rank], begin, begin + count);
    }
  };
  if (text) {
    rows(h5::read_strings(dataset.get()), [&](KernelRecord& record, auto begin, auto end) {
      record.labels.push_back({name, axis, {begin, end}});
    });
    return;
  }
  kernel.metrics.push_back(std::move(metric));
  rows(h5::read_doubles(dataset.get()), [&](KernelRecord& record, auto begin, auto end) {
    record.series.push_back({name, axis, {begin, end}});
  });
}

}  // namespace

std::string kernel_group_name(const Point& point) {
  return fmt::format("{:04}_{}", point.index, point.kernel);
}

void write_kernel(hid_t kernels, const Point& point, std::span<const MetricInfo> metrics,
                  std::span<const KernelRecord> records) {
  for (const KernelRecord& record : records) {
    for (const Series& series : record.series) {
      if (std::ranges::find(metrics, series.metric, &MetricInfo::name) == metrics.end()) {
        throw std::logic_error(fmt::format("metric {} is not declared by {}", series.metric, point.kernel));
      }
    }
  }
  Axes axes;
  measure(axes, records);

  const h5::Handle group = h5::create_group(kernels, kernel_group_name(point));
  const bool complete =
      std::ranges::all_of(records, [](const KernelRecord& record) { return record.outcome.complete; });
  h5::write_attribute(group.get(), "kernel", point.kernel);
  h5::write_attribute(group.get(), "index", std::int64_t{point.index});
  h5::write_attribute(group.get(), "complete", std::int64_t{complete ? 1 : 0});
  for (const auto& [name, value] : point.parameters) {
    h5::write_attribute(group.get(), std::string(kParameterPrefix) + name, value);
  }
  const h5::Handle rank_scale = write_rank_scale(group.get(), records.size());
  write_scales(group.get(), rank_scale, axes);
  for (const MetricInfo& metric : metrics) write_metric(group.get(), rank_scale, axes, metric, records);
  write_labels(group.get(), rank_scale, axes, records);

  std::vector<Attributes> outcomes, facts;
  for (const KernelRecord& record : records) {
    outcomes.push_back(outcome_facts(record));
    facts.push_back(record.facts);
  }
  write_fact_group(group.get(), "outcome", outcomes);
  write_fact_group(group.get(), "facts", facts);
  write_snapshots(group.get(), records);
  write_timelines(group.get(), records);
}

StoredKernel read_kernel(hid_t group, const ReadOptions& options) {
  StoredKernel kernel;
  for (const auto& [name, value] : h5::read_attributes(group)) {
    if (name == "kernel") kernel.point.kernel = to_string(value);
    if (name == "index") kernel.point.index = static_cast<int>(std::get<std::int64_t>(value));
    if (name.starts_with(kParameterPrefix))
      kernel.point.parameters[name.substr(kParameterPrefix.size())] = value;
  }
  kernel.ranks.resize(h5::shape_of(h5::open_dataset(group, "rank").get()).at(0));
  const std::vector<Attributes> outcomes =
      read_facts(h5::open_group(group, "outcome").get(), kernel.ranks.size());
  std::vector<Attributes> facts =
      read_facts(h5::open_group(group, "facts").get(), kernel.ranks.size(), options.kernel_fact);
  for (std::size_t rank = 0; rank < kernel.ranks.size(); ++rank) {
    read_outcome(outcomes[rank], kernel.ranks[rank]);
    kernel.ranks[rank].facts = std::move(facts[rank]);
  }
  StoredAxes axes(group);
  for (const std::string& name : h5::children(group)) {
    if (const auto dataset = h5::open_if_dataset(group, name))
      read_series(*dataset, name, options, axes, kernel);
  }
  if (options.ledgers) read_snapshots(group, kernel.ranks);
  if (options.timelines) read_timelines(group, kernel.ranks);
  return kernel;
}

}  // namespace sparkmpi::results
