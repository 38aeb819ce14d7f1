#include "kernels/stream/stream_kernel.hpp"

#include <fmt/format.h>

#include <array>

#include "base/bytes.hpp"
#include "kernels/device/gpu_state.hpp"
#include "kernels/stream/gpu_run.hpp"
#include "kernels/stream/host/arrays.hpp"
#include "kernels/stream/options.hpp"
#include "kernels/stream/read_bandwidth.hpp"
#include "kernels/timing/sample_loop.hpp"

namespace sparkmpi::kernels::stream {
namespace {

using results::Better;
using results::MetricInfo;
using results::Origin;

constexpr std::size_t kSmallestFootprint = std::size_t{16} << 10;

constexpr std::array<OptionSpec, 8> kOptions = {{
    {.name = "footprint",
     .kind = OptionKind::bytes,
     .default_value = "128K-512M*4",
     .list = true,
     .minimum = kSmallestFootprint,
     .help = "memory each operation touches on each rank, divided between its arrays"},
    {.name = "operation",
     .kind = OptionKind::text,
     .default_value = "all",
     .help = "read,write,copy,scale,add,triad,dot or all"},
    {.name = "repetitions",
     .short_name = 'r',
     .kind = OptionKind::integer,
     .default_value = "0",
     .minimum = 0,
     .maximum = 1e6,
     .help = "samples of each operation; 0: until the median is known to 1 %, or --max-time"},
    {.name = "max-time",
     .kind = OptionKind::real,
     .default_value = "0.25",
     .minimum = 1e-3,
     .maximum = 3600,
     .help = "seconds of measuring for each operation at most"},
    {.name = "threads",
     .kind = OptionKind::integer,
     .default_value = "0",
     .minimum = 0,
     .maximum = 65536,
     .help = "threads on each rank of the host; 0: one for each of its cores"},
    {.name = "stores",
     .kind = OptionKind::text,
     .default_value = "auto",
     .help = "the host's: regular, non-temporal (past the caches), or auto: non-temporal from half the "
             "last-level "
             "cache on"},
    {.name = "memory",
     .kind = OptionKind::text,
     .default_value = "auto",
     .list = true,
     .help = "a GPU's: device, managed (touched by the GPU), pinned (the host's), system; auto: device"},
    {.name = "cold",
     .kind = OptionKind::flag,
     .default_value = "",
     .help = "empty the caches before every sample"},
}};

constexpr std::array<MetricInfo, 14> kMetrics = {{
    {"read_bytes_per_s", "B/s", Better::higher, Origin::measured, "read bandwidth: sum += a[i]"},
    {"write_bytes_per_s", "B/s", Better::higher, Origin::measured, "write bandwidth: a[i] = s"},
    {"copy_bytes_per_s", "B/s", Better::higher, Origin::measured,
     "copy bandwidth, read and written bytes: c[i] = a[i]"},
    {"scale_bytes_per_s", "B/s", Better::higher, Origin::measured, "scale bandwidth: b[i] = s * c[i]"},
    {"add_bytes_per_s", "B/s", Better::higher, Origin::measured, "add bandwidth: c[i] = a[i] + b[i]"},
    {"triad_bytes_per_s", "B/s", Better::higher, Origin::measured, "triad bandwidth: a[i] = b[i] + s * c[i]"},
    {"dot_bytes_per_s", "B/s", Better::higher, Origin::measured, "dot product bandwidth: sum += a[i] * b[i]"},
    {"datasheet_bytes_per_s", "B/s", Better::neither, Origin::assumed,
     "memory bandwidth by the datasheet of the GPU"},
    {"datasheet_fraction", "1", Better::higher, Origin::derived,
     "median bandwidth of each operation over the datasheet's, from 4 times the L2 cache on"},
    kSmClock,
    kMemoryClock,
    kPower,
    kTemperature,
    kThrottled,
}};

class Stream final : public Kernel {
 public:
  void check(const Parameters& parameters, const Site& site) const override {
    chosen_operations(parameters.text("operation"));
    if (site.placement.device.kind == DeviceKind::cuda) {
      check_on_gpu(parameters, site);
    } else {
      check_on_host(parameters, site);
    }
  }

  void run(Context& context) override {
    if (context.site.placement.device.kind == DeviceKind::cuda) return run_on_gpu(context);
    const Parameters& parameters = context.parameters;
    const auto footprint = static_cast<std::size_t>(parameters.integer("footprint"));
    const bool bypass = bypass_caches(parameters.text("stores"), footprint);
    host::ThreadTeam team(chosen_cpus(context.site.placement, parameters.integer("threads")));
    const host::Simd simd = host::best_simd();
    const Loops loops = loops_for(simd, bypass);
    context.recorder.fact("threads", std::int64_t{team.size()});
    context.recorder.fact("simd", std::string(host::to_string(simd)));
    context.recorder.fact("stores", std::string(loops.non_temporal ? "non-temporal" : "regular"));

    const auto operations = chosen_operations(parameters.text("operation"));
    std::string reason;
    for (std::size_t i = 0; i < operations.size(); ++i) {
      if (context.stop.requested()) break;
      context.recorder.progress(static_cast<double>(i) / static_cast<double>(operations.size()),
                                operations[i]->name);
      reason = measure(*operations[i], footprint, loops, team, context);
    }
    context.recorder.stop_reason(context.stop.requested() ? "interrupted" : reason);
  }

 private:
  /// One operation's samples into its metric; returns why sampling stopped.
  static std::string measure(const OperationInfo& operation, std::size_t footprint, const Loops& loops,
                             host::ThreadTeam& team, Context& context) {
    Arrays arrays(team, operation, footprint);
    timing::SampleOptions options;
    options.phase =
        fmt::format("stream: {} of {}", operation.name, format_bytes(static_cast<double>(footprint)));
    std::unique_ptr<Arrays> flush;
    if (context.parameters.flag("cold")) {
      flush = std::make_unique<Arrays>(team, kOperations.front(), 4 * last_level_cache_bytes());
      options.make_cold = [&] { flush->run(loops); };
    }
    const auto rule = stopping_rule(context.parameters);
    const timing::Samples samples =
        take_samples([&] { arrays.run(loops); }, *rule, options, context.world, context.stop);
    arrays.verify();
    // One axis for each operation: each stops by itself, with its own number of samples.
    std::vector<double>& rates =
        context.recorder.series(operation.metric, fmt::format("{}_sample", operation.name));
    for (const double seconds : samples.seconds) rates.push_back(arrays.bytes() / seconds);
    return samples.stop_reason;
  }
};

constexpr KernelInfo kInfo = {
    .name = "stream",
    .summary = "memory bandwidth: read, write, copy, scale, add, triad, dot over a sweep of footprints",
    .example = "mpirun -np 2 sparkmpi stream --footprint 1M-1G*4 --operation read,triad",
    .options = kOptions,
    .metrics = kMetrics,
    .headline = "read_bytes_per_s",
    .runs_on_gpu = true,
    .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<Stream>(); },
};

}  // namespace

const KernelInfo& info() {
  return kInfo;
}

}  // namespace sparkmpi::kernels::stream
