#include "kernels/charge/matrix.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

namespace sparkmpi::kernels::charge {
namespace {

constexpr std::string_view kIdle = "idle";

/// A ledger's reading in one snapshot, NaN when it gave none.
double value_of(const ledger::Snapshot& snapshot, std::string_view ledger) {
  const auto found = std::ranges::find(snapshot.readings, ledger, &ledger::Reading::name);
  if (found == snapshot.readings.end() || found->answer != ledger::Answer::value ||
      !std::isfinite(found->value)) {
    return std::numeric_limits<double>::quiet_NaN();
  }
  return found->value;
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

void append_in_order(std::vector<std::string>& names, const std::string& name) {
  if (std::ranges::find(names, name) == names.end()) names.push_back(name);
}

class Table {
 public:
  explicit Table(std::span<const Observation> observations) {
    for (const Observation& observation : observations) add(observation);
  }

  Slope slope(const std::string& allocator, const std::string& step, const std::string& ledger) const {
    const auto points = points_.find({allocator, step, ledger});
    if (points == points_.end()) return regress({}, {}, {});
    return regress(points->second.bytes, points->second.change, idle(step, ledger));
  }

  const std::vector<std::string>& allocators() const { return allocators_; }
  const std::vector<std::string>& ledgers() const { return ledgers_; }
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
      for (const ledger::Reading& reading : before.readings) {
        if (reading.unit != "B" || (after.moment == "exit" && of_one_process(reading.name))) continue;
        append_in_order(ledgers_, reading.name);
        const double sign = counts_what_is_left(reading.name) ? -1 : 1;
        Points& points = points_[{observation.allocator, after.moment, reading.name}];
        points.bytes.push_back(static_cast<double>(observation.bytes));
        points.change.push_back(sign * (value_of(after, reading.name) - value_of(before, reading.name)));
      }
    }
  }

  std::span<const double> idle(const std::string& step, const std::string& ledger) const {
    const auto points = points_.find({std::string(kIdle), step, ledger});
    return points == points_.end() ? std::span<const double>{} : points->second.change;
  }

  std::vector<std::string> allocators_, ledgers_;
  std::map<std::string, std::vector<std::string>> steps_;
  std::map<Key, Points> points_;
};

}  // namespace

bool counts_what_is_left(std::string_view ledger) {
  const std::string_view field = ledger.substr(ledger.rfind('.') + 1);
  constexpr std::array<std::string_view, 7> kLeft = {"MemFree",     "MemAvailable", "SwapFree",     "free",
                                                     "device_free", "CmaFree",      "nr_free_pages"};
  return std::ranges::find(kLeft, field) != kLeft.end();
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
  matrix.broken = failed_control(
      {{"malloc", "status.VmRSS", table.slope("malloc", "touch_cpu", "status.VmRSS")},
       {"malloc", "meminfo.MemFree", table.slope("malloc", "touch_cpu", "meminfo.MemFree")},
       {"file_read", "meminfo.MemFree", table.slope("file_read", "touch_cpu", "meminfo.MemFree")}});
  for (const std::string& allocator : table.allocators()) {
    for (const std::string& step : table.steps_of(allocator)) {
      for (const std::string& ledger : table.ledgers()) {
        if (step == "exit" && of_one_process(ledger)) continue;
        const Slope slope = table.slope(allocator, step, ledger);
        const bool withheld = !matrix.broken.empty() && !std::isnan(slope.value);
        matrix.charges.push_back(
            {allocator, step, ledger, slope, withheld ? Verdict::indeterminate : judge(slope)});
      }
    }
  }
  return matrix;
}

std::string settled_step(const Matrix& matrix, std::string_view allocator) {
  std::string step = "allocate";
  for (const Charge& charge : matrix.charges) {
    if (charge.allocator == allocator && charge.step.starts_with("touch_")) step = charge.step;
  }
  return step;
}

}  // namespace sparkmpi::kernels::charge
