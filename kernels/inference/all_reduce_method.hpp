#pragma once
// How GPUs that compute a model together add up their parts.

#include <cstdint>
#include <optional>
#include <string_view>

namespace sparkmpi::kernels::inference {

enum class AllReduceMethod : std::uint8_t {
  automatic,  ///< the fastest that works between these GPUs
  peer,       ///< each writes its part into the others' memory
  nccl,
  staged,  ///< through host memory and MPI; the only one where ranks share a GPU
};

inline constexpr std::string_view kAllReduceMethods = "auto, peer, nccl or staged";

constexpr std::optional<AllReduceMethod> parse_all_reduce_method(std::string_view word) {
  if (word == "auto") return AllReduceMethod::automatic;
  if (word == "peer") return AllReduceMethod::peer;
  if (word == "nccl") return AllReduceMethod::nccl;
  if (word == "staged") return AllReduceMethod::staged;
  return std::nullopt;
}

}  // namespace sparkmpi::kernels::inference
