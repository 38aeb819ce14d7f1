#include "launchers/study/fit.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <cstdlib>
#include <sstream>

#include "base/bytes.hpp"
#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi::launchers::study {
namespace {

std::string counted(std::size_t count, std::string_view what) {
  return fmt::format("{} {}{}", count, what, count == 1 ? "" : "s");
}

/// Why the point can't be run with so many ranks for want of memory; empty when it can.
std::string too_small(const GpuMemoryNeed& need, std::size_t ranks, const std::vector<Gpu>& gpus) {
  if (need.bytes == 0) return {};
  double all = 0;
  const auto wanted = static_cast<double>(need.bytes);
  for (std::size_t i = 0; i < std::min(ranks, gpus.size()); ++i) {
    if (!gpus[i].memory) return {};
    if (need.each && *gpus[i].memory < wanted)
      return fmt::format("GPU {} has {}, it needs {} on each", i, format_bytes(*gpus[i].memory),
                         format_bytes(wanted));
    all += *gpus[i].memory;
  }
  if (need.each || gpus.empty() || all >= wanted) return {};
  return fmt::format("{} {} {}, it needs {}", counted(std::min(ranks, gpus.size()), "GPU"),
                     ranks == 1 ? "has" : "have", format_bytes(all), format_bytes(wanted));
}

}  // namespace

std::vector<Gpu> parse_gpu_memories(const std::string& text) {
  std::vector<Gpu> gpus;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    double mebibytes = 0;
    const auto [end, status] = std::from_chars(line.data(), line.data() + line.size(), mebibytes);
    constexpr double kMebibyte = 1 << 20;
    gpus.push_back({status == std::errc{} ? std::optional(mebibytes * kMebibyte) : std::nullopt});
  }
  return gpus;
}

std::vector<Gpu> gpus_here() {
  if (find_program("nvidia-smi").empty()) return {};
  std::vector<std::string> query = {"nvidia-smi", "--query-gpu=memory.total",
                                    "--format=csv,noheader,nounits"};
  if (const char* const visible = std::getenv("CUDA_VISIBLE_DEVICES"); visible != nullptr) {
    if (*visible == '\0') return {};
    query.insert(query.end(), {"--id", visible});
  }
  const CommandResult answer = run_command(query);
  return answer.status == 0 ? parse_gpu_memories(answer.output) : std::vector<Gpu>();
}

std::vector<Gpu> parse_gpus(std::string_view text) {
  std::size_t count = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), count);
  const std::string_view rest = text.substr(static_cast<std::size_t>(end - text.data()));
  constexpr std::size_t kMost = 100000;
  if (status != std::errc{} || count > kMost || (!rest.empty() && !rest.starts_with('x')))
    throw UsageError(
        fmt::format("--gpus {}: a number of GPUs such as 4, or with the memory of each: 4x80G", text));
  Gpu gpu;
  if (!rest.empty()) gpu.memory = static_cast<double>(parse_bytes(rest.substr(1), "--gpus"));
  return std::vector<Gpu>(count, gpu);
}

Fitted fitted(StudyPlan plan, const std::vector<Gpu>& gpus) {
  Fitted result;
  bool something = false;
  for (PlannedPoint& point : plan.points) {
    std::vector<int> kept, above;
    for (const int ranks : point.ranks) {
      const auto count = static_cast<std::size_t>(ranks);
      if (plan.at_most_gpus && count > gpus.size()) {
        above.push_back(ranks);
      } else if (const std::string why = too_small(point.gpu_memory, count, gpus); !why.empty()) {
        result.left_out.push_back(
            fmt::format("{} with {} is left out: {}", point.name, counted(count, "rank"), why));
      } else {
        kept.push_back(ranks);
      }
    }
    if (!above.empty())
      result.left_out.push_back(fmt::format("{} with {} ranks is left out: there {} {}", point.name,
                                            fmt::join(above, ", "), gpus.size() == 1 ? "is" : "are",
                                            counted(gpus.size(), "GPU")));
    something = something || !kept.empty();
    point.ranks = std::move(kept);
  }
  if (!something)
    throw UsageError(
        fmt::format("{}: nothing of it can be run on {}; --gpus 8x80G --dry-run shows it for another machine",
                    plan.file.string(), counted(gpus.size(), "GPU")));
  result.plan = std::move(plan);
  return result;
}

}  // namespace sparkmpi::launchers::study
