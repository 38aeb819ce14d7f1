#pragma once
// What the members of a group do to a step's values beside adding them up.

#include <cstdint>

#include "kernels/inference/cuda/linear/products.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// output.residual += sums [tokens, hidden], which become zero, and the first half of the next norm
/// (AllReduce::add).
void add_sums(float* sums, int tokens, int hidden, const ResidualOutput& output, const Launch& launch);

/// One of several members that hold ascending parts of the vocabulary.
struct VocabularyPart {
  int member = 0, members = 1;
  int first_row = 0;  ///< id of the member's first row
};

/// A member's offer for each slice, in the places that are its own: slots [members, slices] of {logit, id},
/// zero in all other places, so that the members' sum holds everybody's. Ids are exact below 2^24.
/// @param best [slices] row of this member's greatest logit; logits [slices, stride].
void offer_best(const std::int32_t* best, const float* logits, int stride, int slices,
                const VocabularyPart& part, float2* slots, const Launch& launch);

/// next[slice] = the id of the greatest logit of the summed slots; ties to the lowest.
void choose_best(const float2* slots, int members, int slices, std::int32_t* next, const Launch& launch);

}  // namespace sparkmpi::kernels::inference::gpu
