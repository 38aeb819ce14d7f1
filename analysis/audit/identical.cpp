// Different models that run at one speed.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/audit/check.hpp"
#include "analysis/compare_sentence.hpp"
#include "analysis/statistics/sample.hpp"
#include "analysis/statistics/welch.hpp"

namespace sparkmpi::analysis::checks {
namespace {

constexpr double kSameWithin = 0.05;       // models whose sizes are known to differ
constexpr double kSameWithinBlind = 0.01;  // models of which nothing is known
constexpr double kSizesDiffer = 1.5;
constexpr double kSureEnough = 1e-3;

/// What depends on the model: rates of tokens or requests, and times.
bool depends_on_model(const Metric& metric) {
  return metric.better != results::Better::neither && (metric.unit == "1/s" || metric.unit == "s");
}

struct Model {
  std::string name;
  std::vector<double> values;
  std::optional<ModelFacts> facts;
};

struct Alike {
  bool all = true, sizes_known = true;
  double largest_difference = 0, largest_p = 0, largest_size_ratio = 1;
};

Alike alike(const std::vector<Model>& models) {
  Alike result;
  for (std::size_t i = 0; i < models.size(); ++i) {
    for (std::size_t j = i + 1; j < models.size(); ++j) {
      const Model &a = models[i], &b = models[j];
      const bool known = a.facts && b.facts && a.facts->weights_bytes > 0 && b.facts->weights_bytes > 0;
      const double ratio = known ? std::max(a.facts->weights_bytes, b.facts->weights_bytes) /
                                       std::min(a.facts->weights_bytes, b.facts->weights_bytes)
                                 : 1;
      result.sizes_known = result.sizes_known && known;
      result.largest_size_ratio = std::max(result.largest_size_ratio, ratio);
      const Welch welch = welch_test(a.values, b.values);
      const double scale = std::abs(mean(a.values));
      const double p = equivalence_p(welch, (known ? kSameWithin : kSameWithinBlind) * scale);
      result.all = result.all && p <= kSureEnough;
      result.largest_difference = std::max(result.largest_difference, std::abs(welch.difference) / scale);
      result.largest_p = std::max(result.largest_p, p);
    }
  }
  result.all = result.all && (!result.sizes_known || result.largest_size_ratio >= kSizesDiffer);
  return result;
}

std::string sizes(const std::vector<Model>& models) {
  std::string text;
  for (const Model& model : models) {
    const std::string size =
        !model.facts ? "size unknown"
        : model.facts->assumed
            ? fmt::format("at least {:.0f} GB of weights", model.facts->weights_bytes * 1e-9)
            : fmt::format("{:.1f} GB of weights", model.facts->weights_bytes * 1e-9);
    text += fmt::format("{}{} ({})", text.empty() ? "" : ", ", model.name, size);
  }
  return text;
}

Output run(const Input& input) {
  // By kernel, condition and metric: the models.
  std::map<std::tuple<std::string, std::string, std::uint32_t>, std::vector<Model>> groups;
  for (const Question& question : input.values.questions) {
    if (question.model.empty() || !depends_on_model(input.metric(question))) continue;
    if (input.stands_for[question.metric] != question.metric) continue;
    Model model{
        question.model, {}, input.options.models ? input.options.models(question.model) : std::nullopt};
    for (const Unit& unit : question.units) model.values.push_back(unit.value);
    groups[{question.kernel, question.condition, question.metric}].push_back(std::move(model));
  }
  Output output;
  bool several = false;
  for (const auto& [key, models] : groups) {
    if (models.size() < 2) continue;
    several = true;
    const Alike result = alike(models);
    if (!result.all) continue;
    const Metric& metric = input.table.metrics()[std::get<2>(key)];
    std::string means;
    Finding finding;
    for (const Model& model : models) {
      means += fmt::format("{}{} {}", means.empty() ? "" : ", ", model.name,
                           precise(mean(model.values), metric.unit));
      finding.numbers["mean " + model.name] = mean(model.values);
    }
    finding.numbers["largest_relative_difference"] = result.largest_difference;
    finding.numbers["weights_ratio"] = result.largest_size_ratio;
    finding.what =
        fmt::format("{} run at one speed ({}), as if one of them had run every time.",
                    models.size() == 2 ? "Two models" : fmt::format("{} models", models.size()), metric.name);
    finding.evidence = fmt::format("Means: {}; they differ by at most {} while the models are {}.", means,
                                   percent(result.largest_difference).substr(1), sizes(models));
    finding.sure =
        fmt::format("{}: equal within {} (every TOST p at most {})",
                    result.sizes_known ? "nearly certain, since decode time grows with the bytes read"
                                       : "suspect, the sizes being unknown",
                    percent(result.sizes_known ? kSameWithin : kSameWithinBlind).substr(1),
                    probability(result.largest_p));
    finding.advice =
        "Look at which weights were really loaded (path, hash, layers in the log): a script that passes a "
        "fixed model is "
        "the usual cause. Do not report these as results of different models.";
    output.certain.push_back(std::move(finding));
  }
  if (!several) output.not_possible = "there are no two models under one condition";
  return output;
}

}  // namespace

const Check kIdentical = {"identical", "do different models give the same number?", run};

}  // namespace sparkmpi::analysis::checks
