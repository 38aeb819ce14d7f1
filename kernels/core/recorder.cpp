#include "kernels/recorder.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <stdexcept>

namespace sparkmpi::kernels {

Recorder::Recorder(std::span<const results::MetricInfo> metrics, ledger::LedgerSet& ledgers,
                   const Clock& clock, ProgressSink progress)
    : metrics_(metrics), ledgers_(ledgers), clock_(clock), progress_(std::move(progress)) {
  // series() hands out references that must survive later series() calls.
  record_.series.reserve(metrics_.size());
}

std::vector<double>& Recorder::series(std::string_view metric, std::string_view axis) {
  const auto found = std::ranges::find(record_.series, metric, &results::Series::metric);
  if (found != record_.series.end()) {
    if (found->axis != axis) {
      throw std::logic_error(fmt::format("metric {} is on axis {}, not {}", metric, found->axis, axis));
    }
    return found->values;
  }
  if (std::ranges::find(metrics_, metric, &results::MetricInfo::name) == metrics_.end()) {
    throw std::logic_error(fmt::format("metric {} is not declared by its kernel", metric));
  }
  return record_.series.emplace_back(results::Series{std::string(metric), std::string(axis), {}}).values;
}

std::vector<std::string>& Recorder::labels(std::string_view name, std::string_view axis) {
  const auto found = std::ranges::find(labels_, name, &results::Labels::name);
  if (found != labels_.end()) return found->values;
  return labels_.emplace_back(results::Labels{std::string(name), std::string(axis), {}}).values;
}

void Recorder::fact(std::string_view name, Attribute value) {
  record_.facts.insert_or_assign(std::string(name), std::move(value));
}

const ledger::Snapshot& Recorder::moment(std::string_view name) {
  record_.snapshots.push_back({std::string(name), clock_.now_s(), ledgers_.read()});
  return record_.snapshots.back();
}

std::optional<double> Recorder::reading(std::string_view name) {
  const std::vector<ledger::Reading> readings = ledgers_.read();
  const auto found = std::ranges::find(readings, name, &ledger::Reading::name);
  if (found == readings.end() || found->answer != ledger::Answer::value) return std::nullopt;
  return found->value;
}

void Recorder::stop_reason(std::string_view reason) {
  record_.outcome.stop_reason = reason;
}

void Recorder::progress(double done, std::string_view text) const {
  if (progress_) progress_(done, text);
}

results::KernelRecord Recorder::take() && {
  record_.labels.assign(std::make_move_iterator(labels_.begin()), std::make_move_iterator(labels_.end()));
  return std::move(record_);
}

}  // namespace sparkmpi::kernels
