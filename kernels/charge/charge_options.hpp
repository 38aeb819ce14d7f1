#pragma once
// What the charge experiment is asked to do, from its parameters.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/charge/allocator.hpp"
#include "kernels/option.hpp"

namespace sparkmpi::kernels::charge {

/// The allocators that `text` names: "all", "host", "cuda", or names with commas between them; malloc and
/// file_read are always among them, as controls. Throws UsageError for a name that is not among `host` and
/// `cuda`; @param cuda is empty where the rank drives no GPU.
std::vector<AllocatorInfo> chosen_allocators(std::string_view text, std::span<const AllocatorInfo> host,
                                             std::span<const AllocatorInfo> cuda);

/// "64M,128M,256M" ascending, or nothing for "auto". Throws UsageError for less than three different sizes
/// and for one that is not a whole number of 2 MiB, the largest page that allocators round up to.
std::vector<std::size_t> chosen_sizes(std::string_view text);

/// One cell to come: an allocator (kIdle too) and how much.
struct PlannedCell {
  std::string allocator;
  std::size_t bytes = 0;
};

/// `repetitions` blocks, each with every cell once and its share of the idle ones, in random order.
/// @param idle how many idle cells in all; their sizes are taken in turn from `cells`.
std::vector<PlannedCell> randomised(const std::vector<PlannedCell>& cells, int repetitions, int idle,
                                    std::uint64_t seed);

}  // namespace sparkmpi::kernels::charge
