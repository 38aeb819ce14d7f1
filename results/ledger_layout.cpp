#include "results/ledger_layout.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>
#include <unordered_map>

#include "results/table_layout.hpp"

namespace sparkmpi::results {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
constexpr auto kAbsent = static_cast<std::int8_t>(ledger::Answer::absent);

/// Names in the order of first appearance, each with its position.
class NameIndex {
 public:
  std::size_t add(const std::string& name, const std::string& unit = {}) {
    const auto [entry, fresh] = position_.try_emplace(name, names_.size());
    if (fresh) {
      names_.push_back(name);
      units_.push_back(unit);
    }
    return entry->second;
  }
  std::size_t at(const std::string& name) const { return position_.at(name); }
  std::size_t size() const { return names_.size(); }
  const std::vector<std::string>& names() const { return names_; }
  const std::vector<std::string>& units() const { return units_; }

 private:
  std::vector<std::string> names_, units_;
  std::unordered_map<std::string, std::size_t> position_;
};

/// The scales `rank` and `ledger` and the data set `unit`, which both groups have.
struct CommonScales {
  h5::Handle rank, ledger;
};

CommonScales write_common(hid_t group, std::size_t ranks, const NameIndex& ledgers) {
  CommonScales scales{write_rank_scale(group, ranks),
                      h5::write(group, "ledger", {ledgers.size()}, ledgers.names())};
  h5::make_scale(scales.ledger, "ledger");
  const h5::Handle units = h5::write(group, "unit", {ledgers.size()}, ledgers.units());
  const h5::Handle* const of_ledger[] = {&scales.ledger};
  h5::attach_scales(units, of_ledger);
  return scales;
}

void describe(const h5::Handle& dataset, const std::string& what) {
  h5::write_attribute(dataset.get(), "long_name", what);
}

void describe_time(const h5::Handle& time) {
  h5::write_attribute(time.get(), "units", std::string("s"));
  describe(time, "seconds since the run's start");
}

void describe_answers(const h5::Handle& answers) {
  constexpr std::array<std::int8_t, 4> kValues = {0, 1, 2, 3};
  h5::write_attribute(answers.get(), "flag_values", kValues);
  h5::write_attribute(answers.get(), "flag_meanings",
                      std::string("value not_supported not_permitted absent"));
  describe(answers, "how the ledger answered; reading is NaN unless this is 0");
}

}  // namespace

void write_snapshots(hid_t kernel, std::span<const KernelRecord> records) {
  NameIndex moments, ledgers;
  for (const KernelRecord& record : records) {
    for (const ledger::Snapshot& snapshot : record.snapshots) {
      moments.add(snapshot.moment);
      for (const ledger::Reading& reading : snapshot.readings) ledgers.add(reading.name, reading.unit);
    }
  }
  const std::size_t ranks = records.size(), plane = moments.size() * ledgers.size();
  std::vector<double> readings(ranks * plane, kNaN), times(ranks * moments.size(), kNaN);
  std::vector<std::int8_t> answers(ranks * plane, kAbsent);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    for (const ledger::Snapshot& snapshot : records[rank].snapshots) {
      const std::size_t moment = moments.at(snapshot.moment);
      times[rank * moments.size() + moment] = snapshot.time_s;
      for (const ledger::Reading& reading : snapshot.readings) {
        const std::size_t at = rank * plane + moment * ledgers.size() + ledgers.at(reading.name);
        answers[at] = static_cast<std::int8_t>(reading.answer);
        if (reading.answer == ledger::Answer::value) readings[at] = reading.value;
      }
    }
  }
  const h5::Handle group = h5::create_group(kernel, "ledgers");
  const CommonScales common = write_common(group.get(), ranks, ledgers);
  const h5::Handle moment = h5::write(group.get(), "moment", {moments.size()}, moments.names());
  h5::make_scale(moment, "moment");
  const h5::Shape shape = {ranks, moments.size(), ledgers.size()};
  const h5::Handle* const scales[] = {&common.rank, &moment, &common.ledger};
  const h5::Handle reading = h5::write(group.get(), "reading", shape, readings);
  describe(reading, "what each ledger said; its unit is in 'unit'");
  h5::attach_scales(reading, scales);
  const h5::Handle answer = h5::write(group.get(), "answer", shape, answers);
  describe_answers(answer);
  h5::attach_scales(answer, scales);
  const h5::Handle time = h5::write(group.get(), "time", {ranks, moments.size()}, times);
  describe_time(time);
  h5::attach_scales(time, std::span(scales).first(2));
}

void write_timelines(hid_t kernel, std::span<const KernelRecord> records) {
  NameIndex ledgers;
  std::size_t ticks = 0;
  for (const KernelRecord& record : records) {
    ticks = std::max(ticks, record.timeline.time_s.size());
    for (const ledger::TimelineColumn& column : record.timeline.columns)
      ledgers.add(column.name, column.unit);
  }
  if (ticks == 0) return;
  const std::size_t ranks = records.size(), plane = ticks * ledgers.size();
  std::vector<double> readings(ranks * plane, kNaN), times(ranks * ticks, kNaN);
  for (std::size_t rank = 0; rank < ranks; ++rank) {
    const ledger::Timeline& timeline = records[rank].timeline;
    std::ranges::copy(timeline.time_s, times.begin() + static_cast<std::ptrdiff_t>(rank * ticks));
    for (const ledger::TimelineColumn& column : timeline.columns) {
      const std::size_t ledger = ledgers.at(column.name);
      for (std::size_t tick = 0; tick < column.values.size(); ++tick) {
        readings[rank * plane + tick * ledgers.size() + ledger] = column.values[tick];
      }
    }
  }
  const h5::Handle group = h5::create_group(kernel, "timeline");
  const CommonScales common = write_common(group.get(), ranks, ledgers);
  std::vector<std::int64_t> numbers(ticks);
  std::iota(numbers.begin(), numbers.end(), 0);
  const h5::Handle tick = h5::write(group.get(), "tick", {ticks}, numbers);
  h5::make_scale(tick, "tick");
  const h5::Handle* const scales[] = {&common.rank, &tick, &common.ledger};
  const h5::Handle reading = h5::write(group.get(), "reading", {ranks, ticks, ledgers.size()}, readings);
  describe(reading, "what each cheap ledger said while the kernel ran; its unit is in 'unit'");
  h5::attach_scales(reading, scales);
  const h5::Handle time = h5::write(group.get(), "time", {ranks, ticks}, times);
  describe_time(time);
  h5::attach_scales(time, std::span(scales).first(2));
}

void read_snapshots(hid_t kernel, std::vector<KernelRecord>& records) {
  const h5::Handle group = h5::open_group(kernel, "ledgers");
  const auto strings = [&](const char* name) {
    return h5::read_strings(h5::open_dataset(group.get(), name).get());
  };
  const std::vector<std::string> moments = strings("moment"), ledgers = strings("ledger"),
                                 units = strings("unit");
  const std::vector<double> readings = h5::read_doubles(h5::open_dataset(group.get(), "reading").get());
  const std::vector<double> times = h5::read_doubles(h5::open_dataset(group.get(), "time").get());
  const std::vector<std::int64_t> answers = h5::read_integers(h5::open_dataset(group.get(), "answer").get());
  const std::size_t plane = moments.size() * ledgers.size();
  if (readings.size() != records.size() * plane || answers.size() != readings.size() ||
      units.size() != ledgers.size() || times.size() != records.size() * moments.size()) {
    throw h5::Hdf5Error("the ledgers of a kernel have not the shape (rank, moment, ledger)");
  }
  for (std::size_t rank = 0; rank < records.size(); ++rank) {
    for (std::size_t moment = 0; moment < moments.size(); ++moment) {
      const double time = times[rank * moments.size() + moment];
      if (std::isnan(time)) continue;  // this rank never came to that moment
      ledger::Snapshot snapshot{moments[moment], time, {}};
      for (std::size_t i = 0; i < ledgers.size(); ++i) {
        const std::size_t at = rank * plane + moment * ledgers.size() + i;
        snapshot.readings.push_back(
            {ledgers[i], units[i], static_cast<ledger::Answer>(answers[at]), readings[at]});
      }
      records[rank].snapshots.push_back(std::move(snapshot));
    }
  }
}

void read_timelines(hid_t kernel, std::vector<KernelRecord>& records) {
  if (!h5::exists(kernel, "timeline")) return;
  const h5::Handle group = h5::open_group(kernel, "timeline");
  const std::vector<std::string> ledgers = h5::read_strings(h5::open_dataset(group.get(), "ledger").get());
  const std::vector<std::string> units = h5::read_strings(h5::open_dataset(group.get(), "unit").get());
  const std::vector<double> readings = h5::read_doubles(h5::open_dataset(group.get(), "reading").get());
  const std::vector<double> times = h5::read_doubles(h5::open_dataset(group.get(), "time").get());
  const std::size_t ticks = records.empty() ? 0 : times.size() / records.size();
  if (readings.size() != times.size() * ledgers.size() || units.size() != ledgers.size()) {
    throw h5::Hdf5Error("the time line of a kernel has not the shape (rank, tick, ledger)");
  }
  for (std::size_t rank = 0; rank < records.size(); ++rank) {
    ledger::Timeline& timeline = records[rank].timeline;
    for (std::size_t tick = 0; tick < ticks && !std::isnan(times[rank * ticks + tick]); ++tick) {
      timeline.time_s.push_back(times[rank * ticks + tick]);
    }
    if (timeline.time_s.empty()) continue;
    for (std::size_t i = 0; i < ledgers.size(); ++i) {
      ledger::TimelineColumn column{ledgers[i], units[i], {}};
      for (std::size_t tick = 0; tick < timeline.time_s.size(); ++tick) {
        column.values.push_back(readings[(rank * ticks + tick) * ledgers.size() + i]);
      }
      timeline.columns.push_back(std::move(column));
    }
  }
}

}  // namespace sparkmpi::results
