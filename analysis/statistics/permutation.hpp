#pragma once
// Permutation tests that respect blocks: labels are exchanged only among values that the design made
// exchangeable.

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace sparkmpi::analysis {

/// The values of one block and which of them belong to the second group.
struct Block {
  std::vector<double> values;
  std::vector<bool> second;
};

struct PermutationResult {
  double p = 1;
  double arrangements = 0;  ///< looked at
  bool exact = false;       ///< all there are
};

/// Random arrangements or resamples for that many launches: 9,999, and fewer for more launches so that the
/// work stays bounded, but at least 999.
std::size_t draws_for(std::size_t launches);

/// How many ways the labels can be arranged within the blocks.
double arrangements_of(std::span<const Block> blocks);

/// Two-sided: the share of arrangements whose |Σ over blocks of (sum of the second group − what the block's
/// mean would give)| is at least the observed one; with equal blocks that statistic is the difference of
/// means. All arrangements are looked at when there are at most 200,000, otherwise `draws` random ones and
/// the observed one (p = (1 + hits) / (1 + draws), Phipson and Smyth 2010). NaN when no arrangement differs
/// from another.
PermutationResult permutation_test(std::span<const Block> blocks, std::size_t draws, std::uint64_t seed);

/// Values in the order in which they were taken.
using Run = std::vector<double>;

/// Two-sided test of a common trend: Σ (n − 1)·ρ over the runs, ρ being Spearman's correlation of value and
/// position, against `draws` random orders within each run.
PermutationResult trend_test(std::span<const Run> runs, std::size_t draws, std::uint64_t seed);

}  // namespace sparkmpi::analysis
