#pragma once
// What is read off a row of logits.

#include <span>

namespace sparkmpi::kernels::inference {

/// Of the values, around their mean.
double standard_deviation(std::span<const float> logits);

/// How far the largest is above the second, in standard deviations of all: what an error has to reach before
/// another token is chosen. 0 where all are equal; at least two logits.
double top_margin(std::span<const float> logits);

}  // namespace sparkmpi::kernels::inference
