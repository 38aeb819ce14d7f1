#pragma once
// Records as bytes, for the gather. CBOR: NaN and infinity survive, and the two ends need not share a layout.

#include <cstdint>
#include <span>
#include <vector>

#include "results/record.hpp"

namespace sparkmpi::results {

std::vector<std::uint8_t> encode(const KernelRecord& record);
std::vector<std::uint8_t> encode(const RankInfo& info);
/// Throw Error when the bytes are not what encode() makes.
KernelRecord decode_record(std::span<const std::uint8_t> bytes);
RankInfo decode_rank_info(std::span<const std::uint8_t> bytes);

}  // namespace sparkmpi::results
