// Weights that are not those of the model that was asked for.
#include <fmt/format.h>

#include <map>
#include <set>

#include "analysis/audit/check.hpp"
#include "analysis/factor.hpp"

namespace sparkmpi::analysis::checks {
namespace {

std::string value_of(const Factors& factors, std::string_view name) {
  const auto found = factors.find(name);
  return found == factors.end() ? std::string() : found->second;
}

/// What is loaded of a model depends on over how many ranks it is divided and on its format: only like is
/// compared with like.
struct Loaded {
  std::string model, degree, format;
  // NOLINTNEXTLINE(modernize-use-nullptr): clang-tidy 14 takes the 0 that a comparison implies for a pointer
  auto operator<=>(const Loaded&) const = default;
};

Loaded loaded_of(const Point& point) {
  const std::string& degree = tensor_parallel_degree(point);
  return {point.model, degree.empty() ? "1" : degree, value_of(point.facts, "weights_format")};
}

Output run(const Input& input) {
  Output output;
  std::map<std::string, std::set<std::string>> models_of_hash;
  std::map<Loaded, std::set<std::string>> hashes_of_loaded;
  for (const Point& point : input.table.points()) {
    const std::string hash = value_of(point.facts, "weights_hash");
    if (hash.empty() || point.model.empty()) continue;
    models_of_hash[hash].insert(point.model);
    hashes_of_loaded[loaded_of(point)].insert(hash);
  }
  if (models_of_hash.empty()) output.not_possible = "no file holds a hash of the weights";
  for (const auto& [hash, models] : models_of_hash) {
    if (models.size() < 2) continue;
    Finding finding;
    finding.what =
        fmt::format("{} were asked for, one set of weights was loaded.", counted(models.size(), "model"));
    finding.evidence = fmt::format("The hash of the weights is {} for {}.", hash, fmt::join(models, ", "));
    finding.sure = "certain: equal hashes";
    finding.advice = "Only one of them was measured; find which, and run the others.";
    output.certain.push_back(std::move(finding));
  }
  for (const auto& [loaded, hashes] : hashes_of_loaded) {
    if (hashes.size() < 2) continue;
    Finding finding;
    finding.what = fmt::format("{} was measured with different weights.", loaded.model);
    finding.evidence = fmt::format("The hashes are {}.", fmt::join(hashes, ", "));
    finding.sure = "certain: different hashes";
    finding.advice = "Pin the revision of the checkpoint; do not pool these launches.";
    output.certain.push_back(std::move(finding));
  }
  return output;
}

}  // namespace

const Check kWeights = {"weights", "were the weights those of the model asked for?", run};

}  // namespace sparkmpi::analysis::checks
