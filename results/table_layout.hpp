#pragma once
// Facts that each rank has, as one data set a fact with the dimension `rank`.

#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/attributes.hpp"
#include "results/hdf5_data.hpp"

namespace sparkmpi::results {

/// The scale `rank` (0 … ranks-1) of a group.
h5::Handle write_rank_scale(hid_t group, std::size_t ranks);

/// Writes the union of all names. A fact is text when it is text on any rank; ranks that lack it hold NaN or
/// "" and are listed in the attribute `missing_ranks`. Whole numbers stay whole (int64) when every rank has
/// them.
void write_facts(hid_t group, const h5::Handle& rank_scale, std::span<const Attributes* const> ranks);

/// The inverse. @param ranks how many there are. @param wanted which facts; empty: all.
std::vector<Attributes> read_facts(hid_t group, std::size_t ranks,
                                   const std::function<bool(std::string_view name)>& wanted = {});

}  // namespace sparkmpi::results
