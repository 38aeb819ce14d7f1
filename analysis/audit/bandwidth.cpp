// Bytes that a step must read, times steps a second, against what the memory can deliver.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>

#include "analysis/audit/check.hpp"
#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis::checks {
namespace {

constexpr double kImpossible = 1.3;          // of the bound: one of the numbers is wrong
constexpr double kSuspectOfDatasheet = 0.9;  // nothing reads at the data sheet's rate
constexpr double kSuspectOfMeasured =
    1.0;  // our own kernels come to 0.91 of what is measured in the same run

std::optional<double> number(const Factors& factors, std::initializer_list<const char*> names) {
  for (const char* name : names) {
    const auto found = factors.find(std::string_view(name));
    if (found == factors.end()) continue;
    double value = 0;
    const auto [end, status] =
        std::from_chars(found->second.data(), found->second.data() + found->second.size(), value);
    if (status == std::errc{} && value > 0) return value;
  }
  return std::nullopt;
}

/// Sequences in a decode step.
std::optional<double> concurrency_of(const Input& input, const Question& question) {
  if (input.options.concurrency) return input.options.concurrency;
  for (const Point& point : input.table.points()) {
    if (point.launch != question.units.front().launch || point.model != question.model) continue;
    if (const auto found = number(point.parameters, {"concurrency", "batch", "max_batch_size"})) return found;
    return number(point.facts, {"avg_num_concurrent_requests"});
  }
  return std::nullopt;
}

/// The highest value of a metric of the same launch and condition.
std::optional<double> beside(const Input& input, const Question& question, std::string_view metric) {
  for (const Question& other : input.values.questions) {
    if (other.kernel != question.kernel || other.model != question.model ||
        other.condition != question.condition)
      continue;
    if (input.metric(other).name != metric) continue;
    double highest = 0;
    for (const Unit& unit : other.units) highest = std::max(highest, unit.value);
    return highest;
  }
  return std::nullopt;
}

struct Bound {
  double bytes_per_s;
  std::string source;
  double suspect;
};

std::optional<Bound> bound_of(const Input& input, const Question& question) {
  if (const auto measured = beside(input, question, "read_bandwidth_bytes_per_s"))
    return Bound{*measured, "the read bandwidth measured in the same run", kSuspectOfMeasured};
  if (!input.options.device) return std::nullopt;
  return Bound{input.options.device->bandwidth_bytes_per_s, input.options.device->name + "'s data sheet",
               kSuspectOfDatasheet};
}

void judge(const Question& question, const std::string& basis, double bytes_per_s, const Bound& bound,
           double rate, Output& output) {
  const double share = bytes_per_s / bound.bytes_per_s;
  if (share <= bound.suspect) return;
  const bool impossible = share > kImpossible;
  Finding finding;
  finding.what = fmt::format("{} would read its weights at {:.0f} GB/s, {:.2g} times {}.", question.model,
                             bytes_per_s * 1e-9, share, bound.source);
  finding.evidence = fmt::format("{} = {:.1f} GB/s; the bound is {:.1f} GB/s, so at most {:.1f} tokens/s.",
                                 basis, bytes_per_s * 1e-9, bound.bytes_per_s * 1e-9, rate / share);
  finding.sure = impossible ? "certain: above 1.3 times the bound"
                            : fmt::format("suspect: between {} and 1.3 times the bound", bound.suspect);
  finding.advice =
      "Check the model that was loaded, its precision, and the number of sequences in a step; one of them is "
      "not what is said.";
  finding.numbers = {{"bytes_per_s", bytes_per_s},
                     {"bound_bytes_per_s", bound.bytes_per_s},
                     {"share", share},
                     {"bound_tokens_per_s", rate / share}};
  output.certain.push_back(std::move(finding));
}

Output run(const Input& input) {
  Output output;
  std::size_t judged = 0;
  for (const Question& question : input.values.questions) {
    const std::string& name = input.metric(question).name;
    const std::optional<Bound> bound = bound_of(input, question);
    if (!bound || bound->bytes_per_s <= 0) continue;
    std::vector<double> values;
    for (const Unit& unit : question.units) values.push_back(unit.value);
    const double value = median(values);
    if (name == "decode_bytes_per_s") {
      ++judged;
      judge(question, "decode_bytes_per_s", value, *bound, value, output);
      continue;
    }
    if (name != "decode_tokens_per_s" && name != "output_tokens_per_s") continue;
    if (beside(input, question, "decode_bytes_per_s")) continue;  // judged by the bytes that were counted
    const std::optional<double> concurrency = concurrency_of(input, question);
    const std::optional<ModelFacts> facts =
        input.options.models ? input.options.models(question.model) : std::nullopt;
    if (!concurrency || !facts || facts->read_bytes_per_step <= 0) continue;
    ++judged;
    const double ranks = input.launch(question.units.front()).ranks;
    judge(question,
          fmt::format("{:.1f} tokens/s / {:.3g} sequences a step x {:.1f} GB", value, *concurrency,
                      facts->read_bytes_per_step * 1e-9),
          value / *concurrency * facts->read_bytes_per_step / ranks, *bound, value, output);
  }
  if (judged == 0)
    output.not_possible =
        "needs a rate of tokens, the model's size, the sequences in a step (--concurrency) and a bandwidth "
        "(--device)";
  return output;
}

}  // namespace

const Check kBandwidth = {"bandwidth", "can the memory deliver what the rate needs?", run};

}  // namespace sparkmpi::analysis::checks
