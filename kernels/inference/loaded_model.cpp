#include "kernels/inference/loaded_model.hpp"

#include <algorithm>

#include "kernels/inference/host/host_engine.hpp"
#include "kernels/stream/read_bandwidth.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr double kBandwidthSeconds = 0.3;
constexpr std::size_t kLeastBandwidthBytes = std::size_t{1} << 20, kMostBandwidthBytes = std::size_t{1} << 30;

Weights make_weights(const Settings& settings, host::ThreadTeam& team, Recorder& recorder) {
  const auto progress = [&](double done) { recorder.progress(0.2 * done, "weights"); };
  return settings.synthetic
             ? Weights::synthetic(settings.shard, settings.seed, team, progress)
             : Weights::load(settings.shard, settings.model.directory, team, progress, settings.load);
}

class HostModel final : public LoadedModel {
 public:
  HostModel(const Settings& settings, Group& group, Recorder& recorder)
      : settings_(settings),
        group_(group),
        team_(settings.cpus),
        weights_(make_weights(settings, team_, recorder)) {}

  std::uint64_t weight_bytes() const override { return weights_.bytes(); }
  std::uint64_t weight_read_bytes() const override {
    return weights_.bytes_read_per_step(weights_.config().experts_per_token);
  }
  std::uint64_t weights_hash() const override { return weights_.hash(); }

  std::unique_ptr<Engine> make_engine(std::int64_t kv_blocks, Recorder& recorder) override {
    HostEngineOptions options;
    options.block_tokens = settings_.kv_block;
    options.kv_blocks = kv_blocks;
    options.simd = simd_;
    options.group = &group_;
    recorder.fact("simd", std::string(host::to_string(simd_)));
    recorder.fact("threads", std::int64_t{team_.size()});
    return make_host_engine(weights_, team_, options);
  }

  VerificationLimits verification_limits() const override {
    return simd_ == host::Simd::avx512_bf16 ? kBf16Limits : kSinglePrecisionLimits;
  }

  double read_bandwidth() override {
    const auto footprint = static_cast<std::size_t>(weight_read_bytes());
    return stream::measure_read_bandwidth(
        team_, std::clamp(footprint, kLeastBandwidthBytes, kMostBandwidthBytes), kBandwidthSeconds);
  }

 private:
  const Settings& settings_;
  Group& group_;
  host::ThreadTeam team_;
  Weights weights_;
  host::Simd simd_ = host::best_simd();
};

}  // namespace

std::unique_ptr<LoadedModel> load_on_host(const Settings& settings, Group& group, Recorder& recorder) {
  return std::make_unique<HostModel>(settings, group, recorder);
}

std::unique_ptr<LoadedModel> load_model(const Settings& settings, const Site& site, Group& group,
                                        Recorder& recorder) {
  return site.placement.device.kind == DeviceKind::cuda ? load_on_cuda(settings, site, group, recorder)
                                                        : load_on_host(settings, group, recorder);
}

}  // namespace sparkmpi::kernels::inference
