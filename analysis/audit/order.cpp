// Environments whose launches were not spread over the same time.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "analysis/audit/check.hpp"
#include "analysis/compare_sentence.hpp"
#include "analysis/statistics/permutation.hpp"

namespace sparkmpi::analysis::checks {
namespace {

constexpr double kLopsided = 0.2;  // how far the share of pairs may be from a half

/// Positions in time by environment, for the launches of one study with the same models.
using Stratum = std::map<std::string, std::vector<double>>;

std::map<std::string, Stratum> strata_of(const Table& table) {
  std::map<std::uint32_t, std::set<std::string>> models;
  for (const Point& point : table.points()) models[point.launch].insert(point.model);
  std::map<std::string, Stratum> strata;
  for (std::uint32_t i = 0; i < table.launches().size(); ++i) {
    const Launch& launch = table.launches()[i];
    std::string key = launch.study;
    for (const std::string& model : models[i]) key += '\x1f' + model;
    strata[key][launch.environment].push_back(static_cast<double>(launch.position));
  }
  return strata;
}

struct Pairing {
  double earlier = 0, pairs = 0;  ///< pairs in which the first environment ran earlier
  std::size_t strata = 0, separated = 0, launches = 0;
  std::vector<Block> blocks;
};

Pairing pair_up(const std::map<std::string, Stratum>& strata, const std::string& first,
                const std::string& second) {
  Pairing pairing;
  for (const auto& [key, stratum] : strata) {
    const auto a = stratum.find(first), b = stratum.find(second);
    if (a == stratum.end() || b == stratum.end() || a->second.size() < 2 || b->second.size() < 2) continue;
    double earlier = 0;
    Block block;
    for (const double x : a->second) {
      for (const double y : b->second) earlier += x < y ? 1 : 0;
      block.values.push_back(x);
      block.second.push_back(false);
    }
    for (const double y : b->second) {
      block.values.push_back(y);
      block.second.push_back(true);
    }
    const auto pairs = static_cast<double>(a->second.size() * b->second.size());
    pairing.earlier += earlier;
    pairing.pairs += pairs;
    pairing.launches += a->second.size() + b->second.size();
    ++pairing.strata;
    pairing.separated += earlier == 0 || earlier == pairs ? 1 : 0;
    pairing.blocks.push_back(std::move(block));
  }
  return pairing;
}

Output run(const Input& input) {
  Output output;
  if (!input.order_known) {
    output.not_possible = "the launches' order is not known";
    return output;
  }
  std::set<std::string> environments;
  for (const Launch& launch : input.table.launches()) environments.insert(launch.environment);
  if (environments.size() < 2) {
    output.not_possible = "there is only one environment";
    return output;
  }
  const std::map<std::string, Stratum> strata = strata_of(input.table);
  for (auto first = environments.begin(); first != environments.end(); ++first) {
    for (auto second = std::next(first); second != environments.end(); ++second) {
      const Pairing pairing = pair_up(strata, *first, *second);
      if (pairing.strata == 0) continue;
      const double share = pairing.earlier / pairing.pairs;
      Finding finding;
      finding.numbers = {{"share_of_pairs_first_earlier", share},
                         {"groups", static_cast<double>(pairing.strata)},
                         {"groups_separated", static_cast<double>(pairing.separated)}};
      finding.advice =
          "What drifts with time (cache, temperature, other users) looks like an effect of the environment "
          "here. Run in "
          "randomised complete blocks; until then compare only what cannot drift.";
      const std::string &early = share >= 0.5 ? *first : *second, &late = share >= 0.5 ? *second : *first;
      if (pairing.separated == pairing.strata) {
        finding.what = fmt::format("Environment and order are one: {} and {} launches never alternate.",
                                   *first, *second);
        finding.evidence = fmt::format(
            "In each of {} all launches of one ran before the first of the other ({} first in {} of pairs; "
            "{}).",
            counted(pairing.strata, "group"), early, percent(std::max(share, 1 - share)).substr(1),
            counted(pairing.launches, "launch"));
        finding.sure = "certain: it is the order that the data themselves give";
        output.certain.push_back(std::move(finding));
        continue;
      }
      const PermutationResult test =
          permutation_test(pairing.blocks, draws_for(pairing.launches), input.options.seed);
      if (std::isnan(test.p)) continue;
      if (std::abs(share - 0.5) < kLopsided) {
        ++output.silent_tests;
        continue;
      }
      finding.p = test.p;
      finding.what = fmt::format("{} launches ran earlier than {} launches.", early, late);
      finding.evidence = fmt::format("In {} of all pairs {} ran first; a random order gives a half.",
                                     percent(std::max(share, 1 - share)).substr(1), early);
      output.candidates.push_back(std::move(finding));
    }
  }
  return output;
}

}  // namespace

const Check kOrder = {"order", "is the environment confounded with the order?", run};

}  // namespace sparkmpi::analysis::checks
