// Weights that cannot have been in the memory that there is, or that was reported.
#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "analysis/audit/check.hpp"
#include "analysis/statistics/sample.hpp"
#include "base/bytes.hpp"

namespace sparkmpi::analysis::checks {
namespace {

constexpr double kSlack = 0.95;  // measured memory may leave out a little

struct Capacity {
  double bytes = 0;
  std::string source;
};

/// All devices of a launch together, by option or as the file says.
Capacity capacity_of(const Input& input, std::uint32_t launch) {
  const Launch& of = input.table.launches()[launch];
  if (input.options.device) {
    const DeviceFacts& device = *input.options.device;
    return {device.memory_bytes * of.ranks,
            of.ranks > 1 ? fmt::format("{} x {}", of.ranks, device.name) : device.name};
  }
  Capacity capacity;
  for (const Rank& rank : input.table.ranks()) {
    if (rank.launch != launch || rank.device_memory_bytes <= 0) continue;
    capacity.bytes += rank.device_memory_bytes;
    capacity.source = rank.device_name;
  }
  return capacity;
}

bool is_peak_memory(const Metric& metric) {
  return metric.unit == "B" && metric.name.find("peak") != std::string::npos &&
         metric.name.find("memory") != std::string::npos;
}

/// One for each model: its question with the most launches.
std::map<std::string, const Question*> questions_by_model(const Input& input) {
  std::map<std::string, const Question*> models;
  for (const Question& question : input.values.questions) {
    if (question.model.empty()) continue;
    const Question*& best = models[question.model];
    if (best == nullptr || question.units.size() > best->units.size()) best = &question;
  }
  return models;
}

/// What a rate would take even if the weights fitted.
std::string also_the_rate(const Input& input, const std::string& model, const ModelFacts& facts,
                          Finding& finding) {
  if (!input.options.device || facts.read_bytes_per_step <= 0) return {};
  for (const Question& question : input.values.questions) {
    const std::string& name = input.metric(question).name;
    if (question.model != model || (name != "output_tokens_per_s" && name != "decode_tokens_per_s")) continue;
    std::vector<double> rates;
    for (const Unit& unit : question.units) rates.push_back(unit.value);
    const double rate = median(rates);
    const double sequences = rate * facts.read_bytes_per_step / input.options.device->bandwidth_bytes_per_s;
    finding.numbers["sequences_needed"] = sequences;
    return fmt::format(
        " Even if it fitted, {:.0f} tokens/s would need {:.0f} sequences in every step at the full {:.0f} "
        "GB/s.",
        rate, sequences, input.options.device->bandwidth_bytes_per_s * 1e-9);
  }
  return {};
}

Output run(const Input& input) {
  Output output;
  std::size_t judged = 0;
  const std::map<std::string, const Question*> models = questions_by_model(input);
  for (const auto& [model, question] : models) {
    const std::optional<ModelFacts> facts = input.options.models ? input.options.models(model) : std::nullopt;
    if (!facts || facts->weights_bytes <= 0) continue;
    const std::string weights =
        fmt::format("{} {}{}", facts->assumed ? "at least" : "takes", format_bytes(facts->weights_bytes),
                    facts->assumed ? " at 4 bits a parameter" : " for its weights");
    const std::string sure = facts->assumed
                                 ? "strong: the size is a lower bound from the name"
                                 : "certain, if the checkpoint of that name was loaded as it is published";
    const Capacity capacity = capacity_of(input, question->units.front().launch);
    if (capacity.bytes > 0) {
      ++judged;
      if (facts->weights_bytes > capacity.bytes) {
        Finding finding;
        finding.what =
            fmt::format("{} cannot have run: its weights do not fit into the device's memory.", model);
        finding.evidence =
            fmt::format("{} {}; {} has {}. {} claim to have run it.", model, weights, capacity.source,
                        format_bytes(capacity.bytes), counted(question->units.size(), "launch"));
        finding.numbers = {{"weights_bytes", facts->weights_bytes}, {"memory_bytes", capacity.bytes}};
        finding.evidence += also_the_rate(input, model, *facts, finding);
        finding.sure = sure;
        finding.advice =
            "Find out which model was loaded, or with which quantisation; drop these launches until that is "
            "known.";
        output.certain.push_back(std::move(finding));
      }
    }
    for (const Question& other : input.values.questions) {
      if (other.model != model || !is_peak_memory(input.metric(other))) continue;
      ++judged;
      std::vector<double> peaks;
      double ranks = 1;
      for (const Unit& unit : other.units) {
        peaks.push_back(unit.value);
        ranks = std::max<double>(ranks, input.launch(unit).ranks);
      }
      const double highest = *std::ranges::max_element(peaks);
      if (highest * ranks >= kSlack * facts->weights_bytes) continue;
      Finding finding;
      finding.what = fmt::format("{} reports less memory in use than {}'s weights alone need.",
                                 input.metric(other).name, model);
      finding.evidence =
          fmt::format("{} {}; the highest {} of {} is {}.", model, weights, input.metric(other).name,
                      counted(other.units.size(), "launch"), format_bytes(highest));
      finding.sure = sure;
      finding.advice =
          "Either other weights were loaded, or the metric does not count them: check both before using "
          "either.";
      finding.numbers = {{"weights_bytes", facts->weights_bytes}, {"highest_peak_bytes", highest}};
      output.certain.push_back(std::move(finding));
    }
  }
  if (judged == 0)
    output.not_possible = models.empty()
                              ? "no model is named"
                              : "neither device memory nor a peak of memory is known (try --device)";
  return output;
}

}  // namespace

const Check kCapacity = {"capacity", "do the weights fit into the memory?", run};

}  // namespace sparkmpi::analysis::checks
