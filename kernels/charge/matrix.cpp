#include "kernels/charge/matrix.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "kernels/charge/allocator.hpp"
#include "ledger/what_is_left.hpp"
#include "results/statistics.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// A ledger's reading in one snapshot, NaN when it gave none.
double value_of(const ledger::Snapshot& snapshot, std::string_view ledger) {
  const auto found = std::ranges::find(snapshot.readings, ledger, &ledger::Reading::name);
  if (found == snapshot.readings.end() || found->answer != ledger::Answer::value ||
      !std::isfinite(found->value)) {
    return kNaN;
  }
  return found->value;
}

/// Free pages that wait on a core's own list are in neither of these, and a core takes and gives hundreds of
/// MiB of them at once (ledger/zoneinfo.hpp): they belong to what is left.
bool leaves_out_cpu_lists(std::string_view ledger) {
  return ledger == "meminfo.MemFree" || ledger == "meminfo.MemAvailable";
}

/// By how much the cores' lists grew; 0 where the kernel does not say.
double change_of_cpu_lists(const ledger::Snapshot& before, const ledger::Snapshot& after) {
  constexpr std::string_view kLists = "zoneinfo.pcp_free";
  const double change = value_of(after, kLists) - value_of(before, kLists);
  return std::isfinite(change) ? change : 0;
}

/// All sizes of one allocator at one step on one ledger.
struct Points {
  std::vector<double> bytes, change;
};

/// What a process says of itself ends with the process: after "exit" only the machine's and the cgroup's
/// ledgers go on.
bool of_one_process(std::string_view ledger) {
  return ledger.starts_with("status.") || ledger.starts_with("smaps_rollup.") ||
         ledger == "nvml.process_used";
}

double standard_deviation(std::span<const double> values) {
  double sum = 0, squares = 0, count = 0;
  for (const double value : values) {
    if (!std::isfinite(value)) continue;
    sum += value;
    squares += value * value;
    ++count;
  }
  return count < 2 ? kNaN : std::sqrt(std::max(0.0, (squares - sum * sum / count) / (count - 1)));
}

void append_in_order(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

class Table {
 public:
  explicit Table(std::span<const Observation> observations) {
    for (const Observation& observation : observations) add(observation);
    for (const auto& [key, points] : points_) {
      if (key[0] == kIdle) continue;
      const double variance = median_unbiased_variance(points.bytes, points.change);
      if (!std::isnan(variance)) pools_[{key[1], key[2]}].push_back(variance);
    }
    for (LedgerNoise& known : ledgers_)
      known.bytes = standard_deviation(idle(std::string(to_string(Step::touch_cpu)), known.ledger));
  }

  Slope slope(const std::string& allocator, const std::string& step, const std::string& ledger) const {
    const auto points = points_.find({allocator, step, ledger});
    if (points == points_.end()) return regress({}, {}, {});
    return regress(points->second.bytes, points->second.change, idle(step, ledger),
                   pooled_variance(step, ledger));
  }

  std::size_t cells(const std::string& allocator, const std::string& step, const std::string& ledger) const {
    const auto points = points_.find({allocator, step, ledger});
    return points == points_.end() ? 0 : points->second.bytes.size();
  }

  const std::vector<std::string>& allocators() const { return allocators_; }
  const std::vector<LedgerNoise>& ledgers() const { return ledgers_; }
  /// Idle cells have no GPU step; the one before it takes as long.
  std::span<const double> idle(const std::string& step, const std::string& ledger) const {
    const std::string like =
        step == to_string(Step::touch_gpu) ? std::string(to_string(Step::touch_cpu)) : step;
    const auto points = points_.find({std::string(kIdle), like, ledger});
    return points == points_.end() ? std::span<const double>{} : points->second.change;
  }
  std::vector<std::string> steps_of(const std::string& allocator) const {
    const auto found = steps_.find(allocator);
    return found == steps_.end() ? std::vector<std::string>{} : found->second;
  }

 private:
  using Key = std::array<std::string, 3>;

  void add(const Observation& observation) {
    if (observation.snapshots.empty() || observation.snapshots.front().moment != "before") return;
    if (observation.allocator != kIdle) append_in_order(allocators_, observation.allocator);
    const ledger::Snapshot& before = observation.snapshots.front();
    for (std::size_t i = 1; i < observation.snapshots.size(); ++i) {
      const ledger::Snapshot& after = observation.snapshots[i];
      append_in_order(steps_[observation.allocator], after.moment);
      const double lists = change_of_cpu_lists(before, after);
      for (const ledger::Reading& reading : before.readings) {
        if (!is_level(reading) || (after.moment == "exit" && of_one_process(reading.name))) continue;
        note(reading);
        const double sign = ledger::counts_what_is_left(reading.name) ? -1 : 1;
        Points& points = points_[{observation.allocator, after.moment, reading.name}];
        points.bytes.push_back(static_cast<double>(observation.bytes));
        const double change = value_of(after, reading.name) - value_of(before, reading.name);
        points.change.push_back(sign * (leaves_out_cpu_lists(reading.name) ? change + lists : change));
      }
    }
  }

  /// Other processes disturb every allocator's cells alike: few points that happen to lie on a line do not
  /// make a ledger exact that scatters for the other allocators. The median, since one allocator that
  /// scatters by itself says nothing of the others.
  double pooled_variance(const std::string& step, const std::string& ledger) const {
    const auto pool = pools_.find({step, ledger});
    return pool == pools_.end() || pool->second.empty() ? 0 : results::quantile(pool->second, 0.5);
  }

  void note(const ledger::Reading& reading) {
    const auto [place, fresh] = position_.try_emplace(reading.name, ledgers_.size());
    if (fresh) ledgers_.push_back({reading.name, reading.answer, kNaN});
    LedgerNoise& known = ledgers_[place->second];
    if (known.answer != ledger::Answer::value) known.answer = reading.answer;
  }

  std::vector<std::string> allocators_;
  std::vector<LedgerNoise> ledgers_;
  std::map<std::string, std::size_t, std::less<>> position_;  ///< in ledgers_
  std::map<std::string, std::vector<std::string>> steps_;
  std::map<Key, Points> points_;
  std::map<std::pair<std::string, std::string>, std::vector<double>> pools_;  ///< by step and ledger
};

}  // namespace

bool is_level(const ledger::Reading& reading) {
  if (reading.unit != "B" || reading.name.starts_with("vmstat.")) return false;
  const std::string_view field = std::string_view(reading.name).substr(reading.name.rfind('.') + 1);
  constexpr std::array<std::string_view, 14> kOthers = {"MemTotal",
                                                        "SwapTotal",
                                                        "total",
                                                        "device_total",
                                                        "max",
                                                        "high",
                                                        "low",
                                                        "soft_limit",
                                                        "peak",
                                                        "swap_max",
                                                        "VmPeak",
                                                        "VmHWM",
                                                        "memory_and_swap_max",
                                                        "CommitLimit"};
  return std::ranges::find(kOthers, field) == kOthers.end();
}

const Charge* Matrix::find(std::string_view allocator, std::string_view step, std::string_view ledger) const {
  const auto found = std::ranges::find_if(charges, [&](const Charge& charge) {
    return charge.allocator == allocator && charge.step == step && charge.ledger == ledger;
  });
  return found == charges.end() ? nullptr : &*found;
}

Matrix charge_matrix(std::span<const Observation> observations) {
  const Table table(observations);
  Matrix matrix;
  matrix.ledgers = table.ledgers();
  const std::vector<Control> controls = {
      {"malloc", "status.VmRSS", table.slope("malloc", "touch_cpu", "status.VmRSS")},
      {"malloc", "meminfo.MemFree", table.slope("malloc", "touch_cpu", "meminfo.MemFree")},
      {"file_read", "meminfo.MemFree", table.slope("file_read", "touch_cpu", "meminfo.MemFree")}};
  matrix.broken = failed_control(controls);
  matrix.doubtful = doubtful_control(controls);
  for (const std::string& allocator : table.allocators()) {
    for (const std::string& step : table.steps_of(allocator)) {
      for (const auto& [ledger, answer, noise] : table.ledgers()) {
        if (step == "exit" && of_one_process(ledger)) continue;
        const Slope slope = table.slope(allocator, step, ledger);
        const bool withheld = !matrix.broken.empty() && !std::isnan(slope.value);
        matrix.charges.push_back({allocator, step, ledger, slope,
                                  withheld ? Verdict::indeterminate : judge(slope),
                                  table.cells(allocator, step, ledger)});
      }
    }
  }
  return matrix;
}

std::vector<std::string> allocators_of(const Matrix& matrix) {
  std::vector<std::string> names;
  for (const Charge& charge : matrix.charges) append_in_order(names, charge.allocator);
  return names;
}

std::string settled_step(const Matrix& matrix, std::string_view allocator) {
  std::string step = "allocate";
  for (const Charge& charge : matrix.charges) {
    if (charge.allocator == allocator && charge.step.starts_with("touch_")) step = charge.step;
  }
  return step;
}

}  // namespace sparkmpi::kernels::charge
