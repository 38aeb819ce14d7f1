#include "kernels/charge/charge_kernel.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <optional>
#include <random>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/charge/charge_options.hpp"
#include "kernels/charge/charge_record.hpp"
#include "kernels/charge/experiment.hpp"
#include "kernels/charge/findings.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr std::array<OptionSpec, 6> kOptions = {{
    {.name = "allocators",
     .default_value = "all",
     .help = "all, host, cuda, or names with commas between (malloc and file_read are always measured, as "
             "controls)"},
    {.name = "sizes",
     .default_value = "auto",
     .help = "at least three sizes, multiples of 2 MiB; auto: 64M,128M,256M, more or less on a large or "
             "small machine"},
    {.name = "repetitions",
     .short_name = 'r',
     .kind = OptionKind::integer,
     .default_value = "2",
     .minimum = 1,
     .maximum = 1000,
     .help = "blocks that hold every allocator and size once, in random order"},
    {.name = "idle-cells",
     .kind = OptionKind::integer,
     .default_value = "8",
     .minimum = 0,
     .maximum = 10000,
     .help = "cells that allocate nothing, to see how ledgers move by themselves"},
    {.name = "scratch",
     .default_value = "",
     .help = "directory for the file that is read, on a disk (default: the working directory, $TMPDIR, "
             "/var/tmp or /tmp)"},
    {.name = "seed",
     .kind = OptionKind::integer,
     .default_value = "0",
     .minimum = 0,
     .maximum = 9e15,
     .help = "of the order of cells; 0: drawn anew, and recorded"},
}};

std::string text_of(std::span<const std::size_t> sizes) {
  std::vector<std::string> words;
  for (const std::size_t bytes : sizes) words.push_back(format_bytes(static_cast<double>(bytes)));
  return fmt::format("{}", fmt::join(words, ", "));
}

ExperimentPlan plan_of(const Parameters& parameters, const Site& site) {
  ExperimentPlan plan;
  plan.allocators =
      chosen_allocators(parameters.text("allocators"), host_allocators(), cuda_allocators(site));
  plan.sizes = chosen_sizes(parameters.text("sizes"));
  plan.repetitions = static_cast<int>(parameters.integer("repetitions"));
  plan.idle_cells = static_cast<int>(parameters.integer("idle-cells"));
  plan.scratch = parameters.has("scratch") ? parameters.text("scratch") : "";
  plan.seed = static_cast<std::uint64_t>(parameters.integer("seed"));
  if (plan.seed == 0) plan.seed = std::random_device{}();
  return plan;
}

class ChargeKernel final : public Kernel {
 public:
  void check(const Parameters& parameters, const Site& site) const override {
    const ExperimentPlan plan = plan_of(parameters, site);
    if (!plan.scratch.empty()) scratch_directory(plan.scratch);
    if (plan.sizes.empty()) return;
    const Headroom available = headroom_of(site);
    if (static_cast<double>(plan.sizes.back()) > available.host) {
      throw UsageError(fmt::format("--sizes {}: only {} of memory can be had here",
                                   format_bytes(static_cast<double>(plan.sizes.back())),
                                   format_bytes(available.host)));
    }
  }

  void run(Context& context) override {
    std::optional<std::string> broken;
    // A node's ledgers would show its other ranks' allocations: they measure one after the other.
    for (int turn = 0;; ++turn) {
      if (context.world.local_rank() == turn) broken = measure(context);
      const bool last = turn + 1 >= context.world.local_size();
      if (context.world.all_agree(fmt::format("charge: turn {} of each node", turn + 1), last)) break;
    }
    if (broken && !broken->empty()) throw Error(*broken);
  }

 private:
  /// Returns why there is no verdict, empty when there is one.
  static std::string measure(Context& context) {
    ExperimentPlan plan = plan_of(context.parameters, context.site);
    if (plan.sizes.empty()) plan.sizes = default_sizes(headroom_of(context.site));
    Recorder& recorder = context.recorder;
    recorder.fact("seed", static_cast<std::int64_t>(plan.seed));
    recorder.fact("sizes", text_of(plan.sizes));
    Experiment experiment(plan, context);
    recorder.fact("scratch_directory", experiment.scratch());
    recorder.fact("scratch_file_system",
                  experiment.scratch().empty() ? std::string() : file_system_of(experiment.scratch()));
    const std::vector<Observation> observations = experiment.run();
    const Matrix matrix = charge_matrix(observations);
    record_charges(observations, matrix, recorder);
    recorder.fact("control_failed", matrix.broken);
    recorder.fact("control_doubtful", matrix.doubtful);
    recorder.fact("double_counting", double_counting(matrix));
    if (context.stop.requested()) {
      recorder.stop_reason("interrupted");
      return {};
    }
    recorder.stop_reason("all_cells");
    if (matrix.charges.empty())
      return fmt::format("no cell could be measured: {}",
                         observations.empty() ? "there was none" : observations.front().error);
    return matrix.broken.empty() ? std::string() : "no verdict, since a control fails: " + matrix.broken;
  }
};

}  // namespace

const KernelInfo& info() {
  static const KernelInfo kInfo = {
      .name = "charge",
      .summary = "bytes that every ledger moves for each byte really allocated; is memory counted twice?",
      .example = "sparkmpi charge --allocators malloc,memfd --sizes 64M,128M,256M",
      .options = kOptions,
      .metrics = charge_metrics(),
      .headline = "double_counted",
      .runs_on_gpu = true,
      .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<ChargeKernel>(); },
  };
  return kInfo;
}

}  // namespace sparkmpi::kernels::charge
