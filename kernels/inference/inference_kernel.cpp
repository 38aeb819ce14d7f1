#include "kernels/inference/inference_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "kernels/device/datasheet.hpp"
#include "kernels/device/gpu_state.hpp"
#include "kernels/group_exchange.hpp"
#include "kernels/inference/loaded_model.hpp"
#include "kernels/inference/options.hpp"
#include "kernels/inference/request_metrics.hpp"
#include "kernels/inference/safetensors.hpp"
#include "kernels/inference/verification.hpp"
#include "ledger/environment.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr double kProgressInterval = 0.1;

std::unique_ptr<LoadedModel> load(const Settings& settings, const Site& site, Group& group,
                                  Recorder& recorder) {
  const double start = recorder.clock().now_s();
  std::unique_ptr<LoadedModel> model = load_model(settings, site, group, recorder);
  recorder.series("weights_load_s", "setup").push_back(recorder.clock().now_s() - start);
  recorder.fact("weights_source", settings.synthetic ? fmt::format("synthetic, seed {}", settings.seed)
                                                     : settings.model.directory.string());
  recorder.fact("weights_format", std::string(precision_of(settings.model.config)));
  recorder.fact("weights_hash", fmt::format("{:016x}", model->weights_hash()));
  recorder.series("weights_bytes", "setup").push_back(static_cast<double>(model->weight_bytes()));
  recorder.series("weights_read_bytes", "setup").push_back(static_cast<double>(model->weight_read_bytes()));
  recorder.moment("weights_loaded");
  return model;
}

/// The least of all members' numbers: what every member can do.
std::int64_t least(Group& group, std::int64_t mine) {
  return std::ranges::min(gather(group, mine));
}

std::unique_ptr<Engine> make_engine(const Settings& settings, LoadedModel& model, Group& group,
                                    Recorder& recorder) {
  std::int64_t blocks =
      kv_blocks(settings.kv_budget, settings.blocks_in_flight(), settings.kv_block, settings.kv_block_bytes,
                [&](const std::string& name) { return recorder.reading(name); });
  // Verification wants a few tokens; a cache that small is of no other use.
  blocks = std::max(blocks, (kVerificationTokens + settings.kv_block - 1) / settings.kv_block);
  // Members admit the same requests, whatever their ledgers say.
  blocks = least(group, blocks);
  recorder.fact("kv_blocks", blocks);
  recorder.series("kv_cache_bytes", "setup")
      .push_back(static_cast<double>(blocks) * static_cast<double>(settings.kv_block_bytes));
  recorder.series("kv_cache_tokens", "setup").push_back(static_cast<double>(blocks * settings.kv_block));
  std::unique_ptr<Engine> engine = model.make_engine(blocks, recorder);
  recorder.moment("kv_allocated");
  return engine;
}

/// What the device's energy counter says, NaN without one.
double energy(Recorder& recorder) {
  return recorder.reading("nvml.energy").value_or(std::numeric_limits<double>::quiet_NaN());
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
  void check(const Parameters& parameters, const Site& site) const override { resolve(parameters, site); }

  std::vector<std::filesystem::path> files(const Parameters& parameters) const override {
    const ModelSource model =
        find_model(parameters.text("model"), ledger::process_environment("SPARKMPI_MODEL_PATH"));
    if (!model.has_weights || parameters.flag("synthetic")) return {};
    return SafetensorsDirectory::list(model.directory);
  }

  void run(Context& context) override {
    Settings settings = resolve(context.parameters, context.site);
    Recorder& recorder = context.recorder;
    const std::unique_ptr<Group> group = context.world.group(settings.shard.member.size);
    settings.scheduler.group = group.get();
    recorder.fact("tp", std::int64_t{group->size()});
    recorder.fact("tp_member", std::int64_t{group->rank()});
    recorder.fact("tp_group", std::int64_t{settings.group});
    const std::unique_ptr<LoadedModel> model = load(settings, context.site, *group, recorder);
    const std::unique_ptr<Engine> engine = make_engine(settings, *model, *group, recorder);

    const Verification verified = verify_engine(*engine, settings.seed, model->verification_limits());
    recorder.series("verification_deviation", "setup").push_back(verified.computed);
    if (verified.routed)
      recorder.series("verification_routed_deviation", "setup").push_back(*verified.routed);
    context.world.barrier("inference: read bandwidth");
    const double bandwidth = model->read_bandwidth();
    recorder.series("read_bandwidth_bytes_per_s", "setup").push_back(bandwidth);
    const Device& device = context.site.placement.device;
    const double datasheet = datasheet_of(device.name).memory_bytes_per_s;
    if (!std::isnan(datasheet))
      recorder.series("datasheet_bandwidth_bytes_per_s", "setup").push_back(datasheet);
    GpuStateLog gpu_state(device, recorder);

    Repeatability repeatability;
    bool interrupted = false;
    for (std::int64_t repetition = 0; repetition < settings.repetitions && !interrupted; ++repetition) {
      context.world.barrier(fmt::format("inference: repetition {}", repetition));
      const double energy_before = energy(recorder);
      const RequestLog log = run_repetition(settings, *engine, repetition, context);
      interrupted = log.interrupted;
      gpu_state.record(fmt::format("repetition {}", repetition));
      LogContext log_context;
      log_context.repetition = repetition;
      log_context.answers = group->rank() == 0;
      log_context.prefills = !settings.scheduler.decode_only;
      log_context.decodes = settings.requests.front().output_tokens > 0;
      log_context.read_bandwidth_bytes_per_s = bandwidth;
      log_context.save_tokens = settings.save_tokens;
      log_context.datasheet_bytes_per_s = datasheet;
      log_context.energy_j = energy(recorder) - energy_before;
      record_log(log, log_context, recorder);
      if (!interrupted) repeatability.check(log);
    }
    gpu_state.finish();
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
      const double within = wanted > 0 ? static_cast<double>(tokens) / static_cast<double>(wanted) : 0;
      const double part =
          (static_cast<double>(repetition) + within) / static_cast<double>(settings.repetitions);
      context.recorder.progress(0.2 + 0.8 * part, wanted > 0 ? fmt::format("{} of {} tokens", tokens, wanted)
                                                             : std::string("prefill"));
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
    .runs_on_gpu = true,
    .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<Inference>(); },
};

}  // namespace

const KernelInfo& info() {
  return kInfo;
}

}  // namespace sparkmpi::kernels::inference
