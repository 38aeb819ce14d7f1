// A model on a GPU, by way of the CUDA module.

#include <algorithm>
#include <span>

#include "base/error.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/inference/cuda_inference.hpp"
#include "kernels/inference/loaded_model.hpp"
#include "kernels/inference/weight_source.hpp"
#include "kernels/stream/read_bandwidth.hpp"

namespace sparkmpi::kernels::inference {
namespace {

// Where routers choose experts, a token two of whose experts are nearly equal may take either, and all its
// logits move (measured: 0.65 for one text with Mixtral-8x7B). With many experts some tokens do so in nearly
// every layer (measured: 1.9 for gpt-oss-120b). Logits that have nothing to do with one another are 6 to 7
// apart.
constexpr double kRoutedLimit = 0.6, kManyRoutedLimit = 3;
constexpr int kManyExperts = 17;
constexpr double kBandwidthSeconds = 0.2;
constexpr std::size_t kBandwidthBytes = std::size_t{1} << 30;  // far beyond any L2 cache

const CudaInference& interface_of(const Site& site) {
  const CudaInference* const found = site.cuda.find<CudaInference>();
  if (found == nullptr) throw Error("this CUDA module has no inference engine: it is of another build");
  return *found;
}

class CudaModel final : public LoadedModel {
 public:
  CudaModel(const Settings& settings, const Site& site, Group& group, Recorder& recorder)
      : settings_(settings),
        site_(site),
        group_(group),
        interface_(interface_of(site)),
        weights_(load(recorder)) {}

  std::uint64_t weight_bytes() const override { return weights_->bytes(); }
  std::uint64_t weight_read_bytes() const override {
    const ModelShard& shard = settings_.shard;
    return shard.step_bytes + static_cast<std::uint64_t>(shard.whole.experts_per_token) * shard.expert_bytes;
  }
  std::uint64_t weights_hash() const override { return weights_->hash(); }
  VerificationLimits verification_limits() const override {
    return {kBf16Limits.computed,
            weights_->config().experts < kManyExperts ? kRoutedLimit : kManyRoutedLimit};
  }
  double read_bandwidth() override { return bandwidth_; }

  std::unique_ptr<Engine> make_engine(std::int64_t kv_blocks, Recorder& recorder) override {
    // Before the cache, which may leave no memory for it.
    bandwidth_ = stream::measure_read_bandwidth(site_.cuda, site_.placement.device, kBandwidthBytes,
                                                kBandwidthSeconds);
    recorder.fact("kv_dtype", std::string(to_string(settings_.kv_type)));
    CudaEngineOptions options;
    options.kv_blocks = kv_blocks;
    options.block_tokens = settings_.kv_block;
    options.kv_type = settings_.kv_type;
    options.batch = settings_.decode_batch();
    options.step_tokens = settings_.scheduler.prefill_chunk;
    options.group = &group_;
    options.all_reduce = settings_.all_reduce;
    std::unique_ptr<Engine> engine = interface_.make_engine(*weights_, options);
    for (const auto& [name, value] : engine->facts()) recorder.fact(name, value);
    warm_up(*engine);
    return engine;
  }

 private:
  /// Brings both sizes of step that a prompt is cut into once: the first of each looks for algorithms and
  /// loads their code.
  void warm_up(Engine& engine) const {
    const std::span<const std::int32_t> prompt = settings_.requests.front().prompt;
    const auto chunk = static_cast<std::size_t>(settings_.scheduler.prefill_chunk);
    for (const std::size_t size : {std::min(chunk, prompt.size()), prompt.size() % chunk}) {
      const int sequence = engine.kv().open();
      if (size > 0 && engine.kv().reserve(sequence, static_cast<std::int64_t>(size))) {
        const SequenceSlice slice{sequence, prompt.first(size)};
        std::int32_t ignored = 0;
        engine.step({&slice, 1}, {&ignored, 1});
      }
      engine.kv().close(sequence);
    }
  }

  std::unique_ptr<DeviceWeights> load(Recorder& recorder) const {
    const ModelShard& shard = settings_.shard;
    const std::vector<PlannedTensor> plan = tensor_plan(shard.whole);
    const std::unique_ptr<WeightSource> source =
        settings_.synthetic ? synthetic_weights(settings_.seed)
                            : open_weights(settings_.model.directory, settings_.load);
    source->check(plan);
    host::ThreadTeam readers(settings_.synthetic ? settings_.cpus : reader_cpus(settings_.cpus));
    const Team team = [&](const std::function<void(int, int)>& body) {
      readers.run([&](int worker) { body(worker, readers.size()); });
    };
    const std::function<void(double)> progress = [&](double done) {
      recorder.progress(0.2 * done, "weights");
    };
    const std::optional<std::uint64_t> seed =
        settings_.synthetic ? std::optional(settings_.seed) : std::nullopt;
    return interface_.load(site_.placement.device.ordinal, {plan, shard, *source, seed, team, progress});
  }

  const Settings& settings_;
  const Site& site_;
  Group& group_;
  const CudaInference& interface_;
  double bandwidth_ = 0;
  std::unique_ptr<DeviceWeights> weights_;
};

}  // namespace

std::unique_ptr<LoadedModel> load_on_cuda(const Settings& settings, const Site& site, Group& group,
                                          Recorder& recorder) {
  return std::make_unique<CudaModel>(settings, site, group, recorder);
}

}  // namespace sparkmpi::kernels::inference
