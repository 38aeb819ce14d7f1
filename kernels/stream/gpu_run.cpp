#include "kernels/stream/gpu_run.hpp"

#include <fmt/format.h>

#include <cmath>

#include "base/bytes.hpp"
#include "kernels/device/datasheet.hpp"
#include "kernels/device/gpu_state.hpp"
#include "kernels/stream/options.hpp"
#include "kernels/timing/sample_loop.hpp"
#include "results/statistics.hpp"

namespace sparkmpi::kernels::stream {
namespace {

/// From here on a footprint measures the memory and not the L2 cache.
constexpr std::size_t kCachesOfAFootprint = 4;

class GpuRun {
 public:
  explicit GpuRun(Context& context)
      : context_(context),
        device_(context.site.placement.device),
        cuda_(*context.site.cuda.find<CudaStream>()),
        kind_(chosen_memory(context.parameters)),
        footprint_(static_cast<std::size_t>(context.parameters.integer("footprint"))),
        datasheet_(datasheet_of(device_.name)),
        state_(device_, context.recorder) {}

  void run() {
    // Again: other kernels and other programs may have taken memory since the parameters were checked.
    require_room(kind_, footprint_, room_at(context_.site));
    Recorder& recorder = context_.recorder;
    recorder.fact("memory", std::string(to_string(kind_)));
    recorder.fact("l2_bytes", static_cast<std::int64_t>(cuda_.l2_bytes(device_.ordinal)));
    if (compared()) {
      recorder.fact("datasheet", std::string(datasheet_.source));
      recorder.series("datasheet_bytes_per_s", "setup").push_back(datasheet_.memory_bytes_per_s);
    }
    const auto operations = chosen_operations(context_.parameters.text("operation"));
    std::string reason;
    for (std::size_t i = 0; i < operations.size() && !context_.stop.requested(); ++i) {
      recorder.progress(static_cast<double>(i) / static_cast<double>(operations.size()), operations[i]->name);
      reason = measure(*operations[i]);
    }
    state_.finish();
    recorder.stop_reason(context_.stop.requested() ? "interrupted" : reason);
  }

 private:
  bool compared() const {
    const bool in_gpu_memory = kind_ == MemoryKind::device || kind_ == MemoryKind::managed;
    return in_gpu_memory && !std::isnan(datasheet_.memory_bytes_per_s) &&
           footprint_ >= kCachesOfAFootprint * cuda_.l2_bytes(device_.ordinal);
  }

  /// Returns why sampling stopped.
  std::string measure(const OperationInfo& operation) {
    const bool cold = context_.parameters.flag("cold");
    const auto arrays = cuda_.make(device_.ordinal, operation, footprint_, kind_, cold ? 1 : 0);
    timing::SampleOptions options;
    options.phase =
        fmt::format("stream: {} of {}", operation.name, format_bytes(static_cast<double>(footprint_)));
    options.clock = &arrays->clock();
    options.after_batch = [&] { state_.record(operation.name); };
    if (cold) options.make_cold = [&] { arrays->flush_cache(); };
    const auto rule = stopping_rule(context_.parameters);
    const timing::Samples samples =
        take_samples([&] { arrays->run(); }, *rule, options, context_.world, context_.stop);
    arrays->verify();
    std::vector<double>& rates =
        context_.recorder.series(operation.metric, fmt::format("{}_sample", operation.name));
    for (const double seconds : samples.seconds) rates.push_back(arrays->bytes() / seconds);
    if (compared()) {
      context_.recorder.labels("operation", "operation").emplace_back(operation.name);
      context_.recorder.series("datasheet_fraction", "operation")
          .push_back(results::spread_of(rates).median / datasheet_.memory_bytes_per_s);
    }
    return samples.stop_reason;
  }

  Context& context_;
  const Device& device_;
  const CudaStream& cuda_;
  MemoryKind kind_;
  std::size_t footprint_;
  Datasheet datasheet_;
  GpuStateLog state_;
};

}  // namespace

void run_on_gpu(Context& context) {
  GpuRun(context).run();
}

}  // namespace sparkmpi::kernels::stream
