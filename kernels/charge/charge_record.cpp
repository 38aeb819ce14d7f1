#include "kernels/charge/charge_record.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "base/error.hpp"
#include "kernels/charge/findings.hpp"

namespace sparkmpi::kernels::charge {
namespace {

using results::Better;
using results::MetricInfo;
using results::Origin;

constexpr std::array<MetricInfo, 16> kMetrics = {{
    {"double_counted", "1", Better::lower, Origin::derived,
     "pairs of an allocator and a ledger that claims to say what is used, where it counts twice"},
    {"indeterminate", "1", Better::lower, Origin::derived, "such pairs of which nothing can be said"},
    {"cell_bytes", "B", Better::neither, Origin::assumed, "bytes that a cell asks its allocator for"},
    {"cell_order", "1", Better::neither, Origin::measured, "place of a cell in the order they ran"},
    {"step_cell", "1", Better::neither, Origin::assumed, "the cell (axis cell) a step belongs to"},
    {"step_time_s", "s", Better::neither, Origin::measured, "when the ledgers were read after a step"},
    {"ledger_noise_bytes", "B", Better::neither, Origin::derived,
     "standard deviation of a ledger's change over the idle cells"},
    {"change_bytes", "B", Better::neither, Origin::measured,
     "change of a ledger since the start of the cell (a fall of what is left is negative)"},
    {"change_step", "1", Better::neither, Origin::assumed, "the step (axis step) of a change"},
    {"change_ledger", "1", Better::neither, Origin::assumed, "the ledger (axis ledger) of a change"},
    {"point_cells", "1", Better::neither, Origin::measured, "cells that took an allocator's step"},
    {"charge_slope", "1", Better::neither, Origin::derived,
     "bytes by which a ledger moved for each byte allocated; 1: counted, 2: counted twice"},
    {"charge_half_width", "1", Better::neither, Origin::derived, "half the slope's 95 % interval"},
    {"charge_times", "1", Better::neither, Origin::derived,
     "how often the ledger counts the memory: 0, 1 or 2; NaN when that is indeterminate"},
    {"charge_point", "1", Better::neither, Origin::assumed, "allocator and step (axis point) of a slope"},
    {"charge_ledger", "1", Better::neither, Origin::assumed, "the ledger (axis ledger) of a slope"},
}};

double times_counted(Verdict verdict) {
  switch (verdict) {
    case Verdict::uncounted:
      return 0;
    case Verdict::counted:
      return 1;
    case Verdict::double_counted:
      return 2;
    case Verdict::indeterminate:
    case Verdict::not_answered:
      break;
  }
  return std::numeric_limits<double>::quiet_NaN();
}

using Numbers = std::map<std::string, double, std::less<>>;

Numbers levels_in(const ledger::Snapshot& snapshot) {
  Numbers levels;
  for (const ledger::Reading& reading : snapshot.readings) {
    if (is_level(reading) && reading.answer == ledger::Answer::value && std::isfinite(reading.value))
      levels.emplace(reading.name, reading.value);
  }
  return levels;
}

class Writer {
 public:
  Writer(const Matrix& matrix, Recorder& recorder) : recorder_(recorder) {
    for (const LedgerNoise& known : matrix.ledgers) {
      number_.emplace(known.ledger, static_cast<double>(number_.size()));
      recorder_.series("ledger_noise_bytes", "ledger").push_back(known.bytes);
      recorder_.labels("ledger_name", "ledger").push_back(known.ledger);
      recorder_.labels("ledger_answer", "ledger").emplace_back(to_string(known.answer));
    }
  }

  void cell(const Observation& observation) {
    std::vector<double>& cells = recorder_.series("cell_bytes", "cell");
    const auto index = static_cast<double>(cells.size());
    cells.push_back(static_cast<double>(observation.bytes));
    recorder_.series("cell_order", "cell").push_back(static_cast<double>(observation.order));
    recorder_.labels("cell_allocator", "cell").push_back(observation.allocator);
    recorder_.labels("cell_error", "cell").push_back(observation.error);
    if (observation.snapshots.empty() || observation.snapshots.front().moment != "before") return;
    const Numbers before = levels_in(observation.snapshots.front());
    for (std::size_t i = 1; i < observation.snapshots.size(); ++i)
      step(observation.snapshots[i], index, before);
  }

  void charges(const Matrix& matrix) {
    std::map<std::pair<std::string, std::string>, double> points;
    for (const Charge& charge : matrix.charges) {
      const auto [point, fresh] =
          points.try_emplace({charge.allocator, charge.step}, static_cast<double>(points.size()));
      if (fresh) {
        recorder_.series("point_cells", "point").push_back(0);
        recorder_.labels("point_allocator", "point").push_back(charge.allocator);
        recorder_.labels("point_step", "point").push_back(charge.step);
      }
      double& cells = recorder_.series("point_cells", "point").at(static_cast<std::size_t>(point->second));
      cells = std::max(cells, static_cast<double>(charge.cells));
      if (std::isnan(charge.slope.value)) continue;
      recorder_.series("charge_slope", "charge").push_back(charge.slope.value);
      recorder_.series("charge_half_width", "charge").push_back(charge.slope.half_width);
      recorder_.series("charge_times", "charge").push_back(times_counted(charge.verdict));
      recorder_.series("charge_point", "charge").push_back(point->second);
      recorder_.series("charge_ledger", "charge").push_back(number_.at(charge.ledger));
    }
  }

 private:
  void step(const ledger::Snapshot& after, double cell_index, const Numbers& before) {
    std::vector<double>& cells = recorder_.series("step_cell", "step");
    const auto index = static_cast<double>(cells.size());
    cells.push_back(cell_index);
    recorder_.series("step_time_s", "step").push_back(after.time_s);
    recorder_.labels("step_name", "step").push_back(after.moment);
    for (const auto& [name, value] : levels_in(after)) {
      const auto start = before.find(name);
      const auto ledger = number_.find(name);
      if (start == before.end() || ledger == number_.end()) continue;
      recorder_.series("change_bytes", "change").push_back(value - start->second);
      recorder_.series("change_step", "change").push_back(index);
      recorder_.series("change_ledger", "change").push_back(ledger->second);
    }
  }

  Recorder& recorder_;
  Numbers number_;  ///< of each ledger
};

class Reader {
 public:
  explicit Reader(const results::KernelRecord& record) : record_(record) {}

  const std::vector<double>& values(std::string_view metric) const {
    static const std::vector<double> none;
    const auto found = std::ranges::find(record_.series, metric, &results::Series::metric);
    return found == record_.series.end() ? none : found->values;
  }
  const std::vector<std::string>& texts(std::string_view name) const {
    static const std::vector<std::string> none;
    const auto found = std::ranges::find(record_.labels, name, &results::Labels::name);
    return found == record_.labels.end() ? none : found->values;
  }

 private:
  const results::KernelRecord& record_;
};

/// An element that the record promises. Indices are stored as the format's doubles.
template <class T>
const T& element(const std::vector<T>& values, double index) {
  if (!(index >= 0 && index < static_cast<double>(values.size())))
    throw Error("the result file's charge tables do not belong together");
  return values[static_cast<std::size_t>(index)];
}

ledger::Answer answer_named(std::string_view name) {
  for (const auto answer :
       {ledger::Answer::value, ledger::Answer::not_supported, ledger::Answer::not_permitted}) {
    if (to_string(answer) == name) return answer;
  }
  return ledger::Answer::absent;
}

}  // namespace

std::span<const MetricInfo> charge_metrics() {
  return kMetrics;
}

void record_charges(std::span<const Observation> observations, const Matrix& matrix, Recorder& recorder) {
  Writer writer(matrix, recorder);
  for (const Observation& observation : observations) writer.cell(observation);
  writer.charges(matrix);
  const auto count = [&](Verdict verdict) { return static_cast<double>(count_claims(matrix, verdict)); };
  recorder.series("double_counted", "setup").push_back(count(Verdict::double_counted));
  recorder.series("indeterminate", "setup").push_back(count(Verdict::indeterminate));
}

std::vector<Observation> stored_observations(const results::KernelRecord& record) {
  const Reader reader(record);
  const std::vector<std::string>& ledgers = reader.texts("ledger_name");
  ledger::Snapshot before{"before", 0, {}};
  for (std::size_t i = 0; i < ledgers.size(); ++i) {
    const auto index = static_cast<double>(i);
    const ledger::Answer answer = answer_named(element(reader.texts("ledger_answer"), index));
    before.readings.push_back({ledgers[i], "B", answer, 0});
  }
  std::vector<Observation> observations;
  for (const double bytes : reader.values("cell_bytes")) {
    const auto index = static_cast<double>(observations.size());
    observations.push_back({element(reader.texts("cell_allocator"), index),
                            static_cast<std::size_t>(bytes),
                            {before},
                            element(reader.texts("cell_error"), index),
                            static_cast<std::size_t>(element(reader.values("cell_order"), index))});
  }
  struct Place {
    std::size_t cell, snapshot;
  };
  std::vector<Place> places;
  for (const double cell : reader.values("step_cell")) {
    element(observations, cell);
    const auto index = static_cast<double>(places.size());
    std::vector<ledger::Snapshot>& steps = observations[static_cast<std::size_t>(cell)].snapshots;
    places.push_back({static_cast<std::size_t>(cell), steps.size()});
    steps.push_back(
        {element(reader.texts("step_name"), index), element(reader.values("step_time_s"), index), {}});
  }
  const std::vector<double>& changes = reader.values("change_bytes");
  for (std::size_t i = 0; i < changes.size(); ++i) {
    const auto index = static_cast<double>(i);
    const Place& place = element(places, element(reader.values("change_step"), index));
    const std::string& name = element(ledgers, element(reader.values("change_ledger"), index));
    observations[place.cell].snapshots[place.snapshot].readings.push_back(
        {name, "B", ledger::Answer::value, changes[i]});
  }
  return observations;
}

}  // namespace sparkmpi::kernels::charge
