#pragma once
// Which of a plan's points a machine's GPUs can run: one plan serves one GPU and eight.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launchers/study/plan.hpp"

namespace sparkmpi::launchers::study {

struct Gpu {
  std::optional<double> memory;  ///< bytes; none where the driver gives none (integrated GPUs)
};

/// This machine's GPUs, by `nvidia-smi`; those of CUDA_VISIBLE_DEVICES when it is set.
std::vector<Gpu> gpus_here();

/// What `nvidia-smi --query-gpu=memory.total --format=csv,noheader,nounits` prints: MiB, or "[N/A]".
std::vector<Gpu> parse_gpu_memories(const std::string& text);

/// "8" or "8x80G". Throws UsageError.
std::vector<Gpu> parse_gpus(std::string_view text);

struct Fitted {
  StudyPlan plan;                     ///< every point with the numbers of ranks that can be run
  std::vector<std::string> left_out;  ///< what can't be run and why, one line each
};

/// Leaves out numbers of ranks above the number of GPUs where the plan says so (ranks-at-most = gpus), and
/// those for which the GPUs have less memory than the point needs. Rank i drives GPU i. A need that can't be
/// held against anything (no GPU, or no size known) leaves nothing out. Throws UsageError when nothing is
/// left.
Fitted fitted(StudyPlan plan, const std::vector<Gpu>& gpus);

}  // namespace sparkmpi::launchers::study
