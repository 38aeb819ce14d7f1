#include "kernels/gemm/gemm_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/bytes.hpp"
#include "base/near_match.hpp"
#include "kernels/device/datasheet.hpp"
#include "kernels/device/gpu_state.hpp"
#include "kernels/gemm/host/host_product.hpp"
#include "kernels/gemm/product.hpp"
#include "kernels/timing/sample_loop.hpp"

namespace sparkmpi::kernels::gemm {
namespace {

using results::Better;
using results::Origin;

constexpr std::array<OptionSpec, 4> kOptions = {{
    {.name = "type",
     .kind = OptionKind::text,
     .default_value = "auto",
     .list = true,
     .help = "bf16,fp16,tf32,fp8,fp32; auto: bf16 on a GPU, fp32 on the host, which has no other"},
    {.name = "size",
     .kind = OptionKind::text,
     .default_value = "1024,2048,4096,8192,6144x2048x4096,4096x2048x14336",
     .list = true,
     .help = "m x n x k: a layer of m outputs and k inputs on n tokens; one number: a square"},
    {.name = "repetitions",
     .short_name = 'r',
     .kind = OptionKind::integer,
     .default_value = "0",
     .minimum = 0,
     .maximum = 1e6,
     .help = "samples of each product; 0: until the median is known to 1 %, or --max-time"},
    {.name = "max-time",
     .kind = OptionKind::real,
     .default_value = "1",
     .minimum = 1e-3,
     .maximum = 3600,
     .help = "seconds of measuring for each product at most"},
}};

constexpr std::array<results::MetricInfo, 9> kMetrics = {{
    {"gemm_flops_per_s", "flop/s", Better::higher, Origin::measured,
     "2 m n k operations over the time of one product"},
    {"datasheet_fraction", "1", Better::higher, Origin::derived,
     "gemm_flops_per_s over the datasheet's dense peak"},
    {"datasheet_flops_per_s", "flop/s", Better::neither, Origin::assumed,
     "dense peak of the format by the datasheet of the GPU"},
    {"verification_deviation", "1", Better::neither, Origin::derived,
     "largest deviation of the result as a part of what is allowed; above 1 is an error"},
    kSmClock,
    kMemoryClock,
    kPower,
    kTemperature,
    kThrottled,
}};

const NumberFormatInfo& chosen_format(const Parameters& parameters, const Site& site) {
  std::string text = parameters.text("type");
  const bool gpu = site.placement.device.kind == DeviceKind::cuda;
  if (text == "auto") text = gpu ? "bf16" : "fp32";
  const auto found = std::ranges::find(kNumberFormats, text, &NumberFormatInfo::name);
  if (found == kNumberFormats.end()) {
    std::vector<std::string_view> names;
    names.reserve(kNumberFormats.size());
    for (const NumberFormatInfo& format : kNumberFormats) names.push_back(format.name);
    throw UsageError(fmt::format("--type: there is no '{}'{}; use bf16, fp16, tf32, fp8 or fp32", text,
                                 did_you_mean(text, names)));
  }
  if (!gpu && found->format != NumberFormat::fp32)
    throw UsageError(fmt::format(
        "--type {}: on the host gemm multiplies fp32 only (OpenBLAS has no {} product)", text, text));
  return *found;
}

std::unique_ptr<timing::StoppingRule> stopping_rule(const Parameters& parameters) {
  return timing::samples_or_known_median(static_cast<std::size_t>(parameters.integer("repetitions")),
                                         parameters.real("max-time"));
}

class Gemm final : public Kernel {
 public:
  void check(const Parameters& parameters, const Site& site) const override {
    const NumberFormatInfo& format = chosen_format(parameters, site);
    const Shape shape = parse_shape(parameters.text("size"));
    const Device& device = site.placement.device;
    if (device.kind != DeviceKind::cuda) return;
    if (format.format == NumberFormat::fp8_e4m3 &&
        (shape.m % 16 != 0 || shape.n % 16 != 0 || shape.k % 16 != 0))
      throw UsageError(fmt::format("--size {}: FP8 products need multiples of 16", parameters.text("size")));
    if (const std::string refusal = site.cuda.find<CudaGemm>()->refusal(device.ordinal, format.format);
        !refusal.empty())
      throw UsageError(fmt::format("--type {} on {}: {}", format.name, device.id, refusal));
    const double edges[3] = {static_cast<double>(shape.m), static_cast<double>(shape.n),
                             static_cast<double>(shape.k)};
    const double wanted = format.bytes * (edges[0] * edges[2] + edges[1] * edges[2]) +
                          std::max(format.bytes, 2) * edges[0] * edges[1];
    const auto free = static_cast<double>(site.cuda.memory(device.ordinal).free);
    if (device.memory_model != MemoryModel::integrated && wanted > free)
      throw UsageError(fmt::format("--size {}: the matrices take {} in {}, and {} are free on {}",
                                   parameters.text("size"), format_bytes(wanted), format.name,
                                   format_bytes(free), device.id));
  }

  void run(Context& context) override {
    const NumberFormatInfo& format = chosen_format(context.parameters, context.site);
    const Shape shape = parse_shape(context.parameters.text("size"));
    const Device& device = context.site.placement.device;
    std::optional<host::ThreadTeam> team;
    std::unique_ptr<Product> product;
    if (device.kind == DeviceKind::cuda) {
      product = context.site.cuda.find<CudaGemm>()->make(device.ordinal, format.format, shape);
    } else {
      product = std::make_unique<HostProduct>(team.emplace(context.site.placement.cpus), shape);
    }
    for (const auto& [name, value] : product->facts()) context.recorder.fact(name, value);
    GpuStateLog state(device, context.recorder);
    timing::SampleOptions options;
    options.phase = fmt::format("gemm: {} {}", format.name, context.parameters.text("size"));
    options.clock = product->clock();
    options.after_batch = [&] { state.record("gemm"); };
    const auto rule = stopping_rule(context.parameters);
    const timing::Samples samples =
        take_samples([&] { product->run(); }, *rule, options, context.world, context.stop);
    const double deviation = require_right(product->evidence(), shape, precision_of(format.format));
    context.recorder.series("verification_deviation", "setup").push_back(deviation);
    record(samples, shape, datasheet_of(device.name), format.format, context.recorder);
    state.finish();
    context.recorder.stop_reason(samples.stop_reason);
  }

 private:
  static void record(const timing::Samples& samples, const Shape& shape, const Datasheet& datasheet,
                     NumberFormat format, Recorder& recorder) {
    std::vector<double>& rates = recorder.series("gemm_flops_per_s");
    for (const double seconds : samples.seconds) rates.push_back(shape.flops() / seconds);
    const double peak = datasheet.flops_per_s(format);
    if (std::isnan(peak)) return;
    recorder.fact("datasheet", std::string(datasheet.source));
    recorder.series("datasheet_flops_per_s", "setup").push_back(peak);
    std::vector<double>& fractions = recorder.series("datasheet_fraction");
    for (const double rate : rates) fractions.push_back(rate / peak);
  }
};

constexpr KernelInfo kInfo = {
    .name = "gemm",
    .summary = "rate of matrix products by number format and shape",
    .example = "mpirun -np 2 sparkmpi gemm --type bf16,fp8 --size 8192,28672x2048x4096",
    .options = kOptions,
    .metrics = kMetrics,
    .headline = "gemm_flops_per_s",
    .runs_on_gpu = true,
    .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<Gemm>(); },
};

}  // namespace

const KernelInfo& info() {
  return kInfo;
}

}  // namespace sparkmpi::kernels::gemm
