#include "analysis/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <tuple>
#include <unordered_map>

#include "analysis/factor.hpp"

namespace sparkmpi::analysis {
namespace {

/// "batch=4 ranks=2" with the parameters that vary between the points of a kernel.
class ConditionText {
 public:
  ConditionText(const Table& table, std::string_view factor) : table_(table), factor_(factor) {
    std::map<std::string, std::map<std::string, std::set<std::string>>> kernels;
    for (const Point& point : table.points()) {
      for (const auto& [name, value] : factors_of(point)) {
        std::set<std::string>& values = kernels[point.kernel][name];
        if (values.size() < 2) values.insert(value);
      }
    }
    for (const auto& [kernel, names] : kernels) {
      for (const auto& [name, values] : names) {
        if (values.size() > 1) varying_[kernel].insert(name);
      }
    }
  }

  std::string of(const Point& point) const {
    const auto varying = varying_.find(point.kernel);
    if (varying == varying_.end()) return {};
    std::string text;
    for (const auto& [name, value] : factors_of(point)) {
      if (!value.empty() && varying->second.contains(name))
        text += fmt::format("{}{}={}", text.empty() ? "" : " ", name, value);
    }
    return text;
  }

 private:
  /// What may tell a point from its neighbours: its parameters and the number of ranks, without the factor
  /// and what goes with it, which must not split the factor's own levels.
  Factors factors_of(const Point& point) const {
    Factors factors = point.parameters;
    const int ranks = table_.launches()[point.launch].ranks;
    if (factor_ == kTensorParallel) {
      const int degree = std::atoi(tensor_parallel_degree(point).c_str());
      if (degree > 0) factors["replicas"] = fmt::format("{}", ranks / degree);
    } else if (factor_ != "nodes") {
      factors.try_emplace("ranks", fmt::format("{}", ranks));
    }
    factors.erase(factor_);
    return factors;
  }

  const Table& table_;
  std::string factor_;
  std::map<std::string, std::set<std::string>> varying_;
};

struct Record {
  std::uint32_t question, launch, level, node;
  double value;
  auto key() const { return std::tie(question, launch, level, node); }
};

/// Text that holds a number sorts by it, before other text.
bool level_before(const std::string& a, const std::string& b) {
  const auto number = [](const std::string& text) {
    double value = 0;
    const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
    return status == std::errc{} && end == text.data() + text.size() ? value : INFINITY;
  };
  const double first = number(a), second = number(b);
  return first != second ? first < second : a < b;
}

/// Records to units: the mean of ranks within a node, then of nodes.
void fold(std::vector<Record>& records, std::vector<Question>& questions) {
  std::ranges::sort(records, {}, [](const Record& record) { return record.key(); });
  for (std::size_t at = 0; at < records.size();) {
    const Record& first = records[at];
    double nodes = 0, sum_of_nodes = 0;
    while (at < records.size() && records[at].question == first.question &&
           records[at].launch == first.launch && records[at].level == first.level) {
      const std::uint32_t node = records[at].node;
      double ranks = 0, sum = 0;
      for (;
           at < records.size() && records[at].question == first.question &&
           records[at].launch == first.launch && records[at].level == first.level && records[at].node == node;
           ++at) {
        sum += records[at].value;
        ++ranks;
      }
      sum_of_nodes += sum / ranks;
      ++nodes;
    }
    questions[first.question].units.push_back({first.launch, first.level, sum_of_nodes / nodes});
  }
}

void sort_levels(Questions& result) {
  std::vector<std::uint32_t> order(result.levels.size());
  for (std::uint32_t i = 0; i < order.size(); ++i) order[i] = i;
  std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
    return level_before(result.levels[a], result.levels[b]);
  });
  std::vector<std::uint32_t> new_index(order.size());
  std::vector<std::string> sorted;
  for (std::uint32_t i = 0; i < order.size(); ++i) {
    new_index[order[i]] = i;
    sorted.push_back(result.levels[order[i]]);
  }
  result.levels = std::move(sorted);
  for (Question& question : result.questions) {
    for (Unit& unit : question.units) unit.level = new_index[unit.level];
  }
}

void note_levels_within_launches(Questions& result) {
  for (const Question& question : result.questions) {
    for (std::size_t i = 1; i < question.units.size(); ++i)
      result.within_launch = result.within_launch || question.units[i].launch == question.units[i - 1].launch;
  }
}

}  // namespace

Questions questions_by(const Table& table, std::string_view factor, LocationOf location) {
  const FactorColumn column(table, factor);
  const ConditionText conditions(table, factor);
  Questions result;
  result.factor = factor;

  // A condition is made once a point, a question once a condition and metric.
  std::map<std::tuple<std::string, std::string, std::string>, std::uint32_t> condition_index;
  std::vector<std::uint32_t> condition_of;
  for (const Point& point : table.points()) {
    result.incomplete_points += point.complete ? 0 : 1;
    const auto key = std::tuple(factor == "kernel" ? std::string() : point.kernel,
                                factor == "model" ? std::string() : point.model, conditions.of(point));
    condition_of.push_back(
        condition_index.try_emplace(key, static_cast<std::uint32_t>(condition_index.size())).first->second);
  }
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> question_index;
  std::unordered_map<std::string, std::uint32_t> level_index;
  std::vector<Record> records;
  records.reserve(table.series().size());
  for (const Series& series : table.series()) {
    const Point& point = table.points()[series.point];
    if (!point.complete) continue;
    const Metric& metric = table.metrics()[series.metric];
    const double value = location == LocationOf::mean ? series.mean(metric) : series.location.median;
    if (std::isnan(value)) continue;
    const std::string& level = column.of(series);
    if (level.empty()) continue;
    const auto question = question_index.try_emplace({condition_of[series.point], series.metric},
                                                     static_cast<std::uint32_t>(question_index.size()));
    if (question.second) result.questions.push_back({});
    const auto of_level = level_index.try_emplace(level, static_cast<std::uint32_t>(level_index.size()));
    if (of_level.second) result.levels.push_back(level);
    records.push_back({question.first->second, point.launch, of_level.first->second,
                       static_cast<std::uint32_t>(table.ranks()[series.rank].node), value});
  }
  std::vector<const std::tuple<std::string, std::string, std::string>*> keys(condition_index.size());
  for (const auto& [key, index] : condition_index) keys[index] = &key;
  for (const auto& [key, index] : question_index) {
    Question& question = result.questions[index];
    std::tie(question.kernel, question.model, question.condition) = *keys[key.first];
    question.metric = key.second;
  }
  fold(records, result.questions);
  sort_levels(result);
  note_levels_within_launches(result);
  std::ranges::stable_sort(result.questions, {}, [](const Question& question) {
    return std::tie(question.kernel, question.model, question.condition, question.metric);
  });
  return result;
}

Questions launch_values(const Table& table, LocationOf location) {
  return questions_by(table, kEveryLaunch, location);
}

}  // namespace sparkmpi::analysis
