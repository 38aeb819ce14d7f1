#include "analysis/table.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string_view>
#include <tuple>

#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

template <class T>
std::uint32_t append(std::vector<T>& to, T&& value) {
  to.push_back(std::forward<T>(value));
  return static_cast<std::uint32_t>(to.size() - 1);
}

}  // namespace

std::uint32_t Table::add(Launch launch) {
  return append(launches_, std::move(launch));
}

std::uint32_t Table::add(Point point) {
  return append(points_, std::move(point));
}

std::uint32_t Table::add(Rank rank) {
  return append(ranks_, std::move(rank));
}

std::uint32_t Table::add(const Metric& metric, const std::string& kernel) {
  const auto [entry, fresh] =
      metric_index_.try_emplace({metric.name, metric.unit}, static_cast<std::uint32_t>(metrics_.size()));
  if (fresh) metrics_.push_back(metric);
  meanings_.try_emplace({entry->second, kernel}, metric.meaning);
  return entry->second;
}

const std::string& Table::meaning(const std::string& kernel, std::uint32_t metric) const {
  const auto found = meanings_.find({metric, kernel});
  return found == meanings_.end() ? metrics_[metric].meaning : found->second;
}

void Table::add(std::uint32_t point, std::uint32_t rank, std::uint32_t metric,
                std::span<const double> values) {
  const std::vector<double> kept = finite(values);
  if (kept.empty()) {
    if (!values.empty()) empty_.emplace(point, metric);
    return;
  }
  Series series{point, rank, metric, samples_.size(), static_cast<std::uint32_t>(values.size()), {}};
  series.location.count = static_cast<std::uint32_t>(kept.size());
  series.location.mean = mean(kept);
  series.location.median = median(kept);
  series.location.harmonic = metrics_[metric].is_rate() ? harmonic_mean(kept) : series.location.mean;
  if (keep_samples_) samples_.insert(samples_.end(), values.begin(), values.end());
  series_.push_back(series);
}

std::map<std::string, std::size_t, std::less<>> Table::empty_metrics() const {
  std::set<std::pair<std::uint32_t, std::uint32_t>> without_values = empty_;
  if (!empty_.empty()) {
    for (const Series& series : series_) without_values.erase({series.point, series.metric});
  }
  std::map<std::string, std::size_t, std::less<>> points;
  for (const auto& [point, metric] : without_values) ++points[metrics_[metric].name];
  return points;
}

void Table::set_facts(const Factors& facts) {
  for (const auto& [name, value] : facts) {
    for (Launch& launch : launches_) {
      if (name == "environment") launch.environment = value;
      if (name == "study") launch.study = value;
      if (name == "block") launch.block = value;
      if (name == "memory_model") launch.memory_model = value;
      launch.facts[name] = value;
    }
    for (Point& point : points_) {
      if (name == "model") point.model = value;
    }
  }
}

void Table::finish() {
  std::vector<std::size_t> by_time(launches_.size());
  std::iota(by_time.begin(), by_time.end(), std::size_t{0});
  const bool timed =
      std::ranges::none_of(launches_, [](const Launch& each) { return each.start_time.empty(); });
  const bool ordered =
      std::ranges::all_of(launches_, [](const Launch& each) { return each.order.has_value(); });
  std::ranges::stable_sort(by_time, {}, [&](std::size_t i) {
    const Launch& launch = launches_[i];
    return std::tuple(timed ? std::string_view(launch.start_time) : std::string_view(),
                      ordered ? std::string_view(launch.study) : std::string_view(),
                      ordered ? *launch.order : 0.0);
  });
  for (std::size_t i = 0; i < by_time.size(); ++i) {
    launches_[by_time[i]].position = i;
    launches_[by_time[i]].position_known = timed || ordered;
  }
}

std::span<const double> Table::samples(const Series& series) const {
  if (!keep_samples_) return {};
  return std::span(samples_).subspan(series.first, series.length);
}

}  // namespace sparkmpi::analysis
