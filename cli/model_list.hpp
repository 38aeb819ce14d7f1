#pragma once
// The shapes that come with the program, and what of them fits where.

#include <cstdint>
#include <string>
#include <vector>

#include "cli/output_format.hpp"

namespace sparkmpi::cli {

struct DeviceMemory {
  std::string device;
  std::uint64_t bytes = 0;
};

/// One row a shape of models/. For each memory: in which precision a model fits it and with how many tokens
/// of KV cache, or the sum that shows why not, with the least number of such devices that would do.
/// @param members that each model is divided between, every one with such a memory to itself: weights and
/// keys and values are those of the member that has most of them, tokens what fits on every one. A shape that
/// cannot be divided between them says why in the column tp.
Rows model_list(const std::vector<DeviceMemory>& memories, int members);

}  // namespace sparkmpi::cli
