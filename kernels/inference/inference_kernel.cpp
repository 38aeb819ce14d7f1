#include "kernels/inference/inference_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "kernels/inference/host/host_engine.hpp"
#include "kernels/inference/options.hpp"
#include "kernels/inference/request_metrics.hpp"
#include "kernels/inference/verification.hpp"
#include "kernels/stream/read_bandwidth.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr double kBandwidthSeconds = 0.3;
constexpr std::size_t kLeastBandwidthBytes = std::size_t{1} << 20, kMostBandwidthBytes = std::size_t{1} << 30;
constexpr double kProgressInterval = 0.1;

Weights make_weights(const Settings& settings, host::ThreadTeam& team, Recorder& recorder) {
  const ModelConfig& config = settings.model.config;
  const auto progress = [&](double done) { recorder.progress(0.2 * done, "weights"); };
  const double start = recorder.clock().now_s();
  Weights weights = settings.synthetic ? Weights::synthetic(config, settings.seed, team, progress)
                                       : Weights::load(config, settings.model.directory, team, progress);
  recorder.series("weights_load_s", "setup").push_back(recorder.clock().now_s() - start);
  recorder.fact("weights_source", settings.synthetic ? fmt::format("synthetic, seed {}", settings.seed)
                                                     : settings.model.directory.string());
  recorder.fact("weights_format", std::string(precision_of(config)));
  recorder.fact("weights_hash", fmt::format("{:016x}", weights.hash()));
  return weights;
}

std::unique_ptr<Engine> make_engine(const Settings& settings, const Weights& weights, host::ThreadTeam& team,
                                    Recorder& recorder) {
  const std::uint64_t block_bytes = kv_block_bytes(weights.config(), settings.kv_block);
  HostEngineOptions options;
  options.block_tokens = settings.kv_block;
  options.kv_blocks = kv_blocks(settings.kv_budget, settings.blocks_in_flight(), settings.kv_block,
                                block_bytes, [&](const std::string& name) { return recorder.reading(name); });
  // Verification wants a few tokens; a cache that small is of no other use.
  options.kv_blocks =
      std::max(options.kv_blocks, (kVerificationTokens + settings.kv_block - 1) / settings.kv_block);
  recorder.fact("simd", std::string(host::to_string(options.simd)));
  recorder.fact("threads", std::int64_t{team.size()});
  recorder.fact("kv_blocks", options.kv_blocks);
  recorder.series("kv_cache_bytes", "setup")
      .push_back(static_cast<double>(options.kv_blocks) * static_cast<double>(block_bytes));
  recorder.series("kv_cache_tokens", "setup")
      .push_back(static_cast<double>(options.kv_blocks * settings.kv_block));
  return make_host_engine(weights, team, options);
}

/// The same schedule has to give the same tokens every time.
class Repeatability {
 public:
  void check(const RequestLog& log) {
    std::vector<std::pair<std::int64_t, std::int32_t>> tokens;
    for (const TokenEvent& token : log.tokens) tokens.emplace_back(token.request, token.id);
    if (first_.empty()) first_ = tokens;
    if (tokens != first_)
      throw Error("a repetition gave other tokens than the first: this machine does not compute reliably");
  }

 private:
  std::vector<std::pair<std::int64_t, std::int32_t>> first_;
};

class Inference final : public Kernel {
 public:
  void check(const Parameters& parameters, const Site& site) const override {
    resolve(parameters, site.placement, site.local_ranks);
  }

  void run(Context& context) override {
    const Settings settings = resolve(context.parameters, context.site.placement, context.site.local_ranks);
    Recorder& recorder = context.recorder;
    host::ThreadTeam team(settings.cpus);
    const Weights weights = make_weights(settings, team, recorder);
    recorder.series("weights_bytes", "setup").push_back(static_cast<double>(weights.bytes()));
    recorder.series("weights_read_bytes", "setup")
        .push_back(static_cast<double>(weights.bytes_read_per_step(weights.config().experts_per_token)));
    recorder.moment("weights_loaded");
    const std::unique_ptr<Engine> engine = make_engine(settings, weights, team, recorder);
    recorder.moment("kv_allocated");

    const double deviation = verify_engine(*engine, settings.seed);
    recorder.series("verification_deviation", "setup").push_back(deviation);
    context.world.barrier("inference: read bandwidth");
    const auto footprint =
        static_cast<std::size_t>(weights.bytes_read_per_step(weights.config().experts_per_token));
    const double bandwidth = stream::measure_read_bandwidth(
        team, std::clamp(footprint, kLeastBandwidthBytes, kMostBandwidthBytes), kBandwidthSeconds);
    recorder.series("read_bandwidth_bytes_per_s", "setup").push_back(bandwidth);

    Repeatability repeatability;
    bool interrupted = false;
    for (std::int64_t repetition = 0; repetition < settings.repetitions && !interrupted; ++repetition) {
      context.world.barrier(fmt::format("inference: repetition {}", repetition));
      const RequestLog log = run_repetition(settings, *engine, repetition, context);
      interrupted = log.interrupted;
      record_log(log, {repetition, bandwidth, settings.save_tokens}, recorder);
      if (!interrupted) repeatability.check(log);
    }
    recorder.moment("measured");
    recorder.series("kv_cache_peak_tokens", "setup")
        .push_back(static_cast<double>(engine->kv().peak_blocks() * settings.kv_block));
    recorder.stop_reason(interrupted ? "interrupted" : "count");
  }

 private:
  static RequestLog run_repetition(const Settings& settings, Engine& engine, std::int64_t repetition,
                                   Context& context) {
    std::int64_t wanted = 0;
    for (const Request& request : settings.requests) wanted += request.output_tokens;
    double shown_s = 0;
    const auto progress = [&](std::int64_t tokens) {
      const double now = context.recorder.clock().now_s();
      if (now - shown_s < kProgressInterval) return;
      shown_s = now;
      const double part =
          (static_cast<double>(repetition) + static_cast<double>(tokens) / static_cast<double>(wanted)) /
          static_cast<double>(settings.repetitions);
      context.recorder.progress(0.2 + 0.8 * part, fmt::format("{} of {} tokens", tokens, wanted));
    };
    return run_requests(engine, settings.requests, settings.scheduler, context.recorder.clock(), context.stop,
                        progress);
  }
};

const KernelInfo kInfo = {
    .name = "inference",
    .summary =
        "LLM inference with continuous batching: prefill, decode, KV cache, latencies, bandwidth utilisation",
    .example = "mpirun -np 2 sparkmpi inference -m SmolLM2-135M -p 512 -n 128 -b 1,4",
    .options = kOptions,
    .metrics = kMetrics,
    .headline = "decode_tokens_per_s",
    .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<Inference>(); },
};

}  // namespace

const KernelInfo& info() {
  return kInfo;
}

}  // namespace sparkmpi::kernels::inference
