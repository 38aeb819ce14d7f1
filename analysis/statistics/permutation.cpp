#include "analysis/statistics/permutation.hpp"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numeric>

#include "analysis/statistics/random.hpp"
#include "analysis/statistics/sample.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr double kMostArrangements = 200'000;
constexpr double kTies =
    1e-9;  // of the observed statistic: sums in another order differ in their last digits

/// One block's values around their mean, and how many of them are in the second group.
struct Centred {
  std::vector<double> values;
  std::size_t chosen = 0;
};

double binomial(std::size_t n, std::size_t k) {
  double product = 1;
  for (std::size_t i = 1; i <= k; ++i) product *= static_cast<double>(n - k + i) / static_cast<double>(i);
  return product;
}

/// The sums of every choice of `left` of the values from `from` on, added to `sum`.
void every_sum(const std::vector<double>& values, std::size_t from, std::size_t left, double sum,
               std::vector<double>& out) {
  if (left == 0) {
    out.push_back(sum);
    return;
  }
  for (std::size_t i = from; i + left <= values.size(); ++i)
    every_sum(values, i + 1, left - 1, sum + values[i], out);
}

std::vector<double> every_statistic(std::span<const Centred> blocks) {
  std::vector<double> sums = {0};
  for (const Centred& block : blocks) {
    std::vector<double> of_block;
    every_sum(block.values, 0, block.chosen, 0, of_block);
    std::vector<double> crossed;
    crossed.reserve(sums.size() * of_block.size());
    for (const double sum : sums) {
      for (const double each : of_block) crossed.push_back(sum + each);
    }
    sums = std::move(crossed);
  }
  return sums;
}

/// The sum of a random choice; a partial shuffle, of the smaller group.
double random_sum(Centred& block, Random& random) {
  const std::size_t n = block.values.size(), k = std::min(block.chosen, n - block.chosen);
  double sum = 0;
  for (std::size_t i = 0; i < k; ++i) {
    std::swap(block.values[i], block.values[i + random.below(n - i)]);
    sum += block.values[i];
  }
  return k == block.chosen ? sum : -sum;  // the block's values sum to 0
}

double largest_size(std::span<const Centred> blocks) {
  double largest = 0;
  for (const Centred& block : blocks) {
    for (const double value : block.values) largest = std::max(largest, std::abs(value));
  }
  return largest;
}

}  // namespace

std::size_t draws_for(std::size_t launches) {
  return std::clamp<std::size_t>(5'000'000 / std::max<std::size_t>(1, launches), 999, 9'999);
}

double arrangements_of(std::span<const Block> blocks) {
  double product = 1;
  for (const Block& block : blocks)
    product *=
        binomial(block.values.size(), static_cast<std::size_t>(std::ranges::count(block.second, true)));
  return product;
}

PermutationResult permutation_test(std::span<const Block> blocks, std::size_t draws, std::uint64_t seed) {
  std::vector<Centred> centred;
  double observed = 0;
  for (const Block& block : blocks) {
    const double centre = mean(block.values);
    Centred each;
    for (std::size_t i = 0; i < block.values.size(); ++i) {
      each.values.push_back(block.values[i] - centre);
      if (!block.second[i]) continue;
      ++each.chosen;
      observed += each.values.back();
    }
    if (each.chosen > 0 && each.chosen < each.values.size()) centred.push_back(std::move(each));
  }
  PermutationResult result;
  const double all = arrangements_of(blocks), limit = std::abs(observed) - kTies * largest_size(centred);
  if (centred.empty() || largest_size(centred) == 0) {
    result.p = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  std::size_t hits = 0;
  if (all <= kMostArrangements) {
    const std::vector<double> sums = every_statistic(centred);
    for (const double sum : sums) hits += std::abs(sum) >= limit ? 1 : 0;
    return {static_cast<double>(hits) / static_cast<double>(sums.size()), all, true};
  }
  Random random(seed);
  for (std::size_t draw = 0; draw < draws; ++draw) {
    double sum = 0;
    for (Centred& block : centred) sum += random_sum(block, random);
    hits += std::abs(sum) >= limit ? 1 : 0;
  }
  return {static_cast<double>(1 + hits) / static_cast<double>(1 + draws), static_cast<double>(1 + draws),
          false};
}

PermutationResult trend_test(std::span<const Run> runs, std::size_t draws, std::uint64_t seed) {
  struct Ranked {
    std::vector<double> ranks;  ///< centred and scaled, so that the sum with centred positions is (n − 1)·ρ
  };
  std::vector<Ranked> ranked;
  const auto statistic = [](const std::vector<double>& ranks) {
    double sum = 0;
    for (std::size_t i = 0; i < ranks.size(); ++i) sum += static_cast<double>(i) * ranks[i];
    return sum;
  };
  double observed = 0;
  for (const Run& run : runs) {
    const std::vector<double> values = finite(run);
    if (values.size() < 3) continue;
    std::vector<double> ranks = ranks_of(values).ranks;
    const auto n = static_cast<double>(ranks.size());
    const double centre = (n + 1) / 2;
    double squares = 0;
    for (double& rank : ranks) {
      rank -= centre;
      squares += rank * rank;
    }
    if (squares == 0) continue;
    const double scale = (n - 1) / std::sqrt(squares * n * (n * n - 1) / 12);
    for (double& rank : ranks) rank *= scale;
    observed += statistic(ranks);
    ranked.push_back({std::move(ranks)});
  }
  PermutationResult result;
  if (ranked.empty()) {
    result.p = std::numeric_limits<double>::quiet_NaN();
    return result;
  }
  Random random(seed);
  std::size_t hits = 0;
  for (std::size_t draw = 0; draw < draws; ++draw) {
    double sum = 0;
    for (Ranked& each : ranked) {
      random.shuffle(std::span(each.ranks));
      sum += statistic(each.ranks);
    }
    hits += std::abs(sum) >= std::abs(observed) * (1 - kTies) ? 1 : 0;
  }
  return {static_cast<double>(1 + hits) / static_cast<double>(1 + draws), static_cast<double>(1 + draws),
          false};
}

}  // namespace sparkmpi::analysis
