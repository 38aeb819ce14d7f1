#include "kernels/stream/stream_kernel.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/value_list.hpp"
#include "kernels/stream/host/arrays.hpp"
#include "kernels/stream/read_bandwidth.hpp"
#include "kernels/timing/sample_loop.hpp"

namespace sparkmpi::kernels::stream {
namespace {

using results::Better;
using results::MetricInfo;
using results::Origin;

constexpr std::size_t kSmallestFootprint = std::size_t{16} << 10;

constexpr std::array<OptionSpec, 7> kOptions = {{
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
     .help = "threads on each rank; 0: one for each of its cores"},
    {.name = "stores",
     .kind = OptionKind::text,
     .default_value = "auto",
     .help =
         "regular, non-temporal (past the caches), or auto: non-temporal from half the last-level cache on"},
    {.name = "cold",
     .kind = OptionKind::flag,
     .default_value = "",
     .help = "empty the caches before every sample"},
}};

constexpr std::array<MetricInfo, 7> kMetrics = {{
    {"read_bytes_per_s", "B/s", Better::higher, Origin::measured, "read bandwidth: sum += a[i]"},
    {"write_bytes_per_s", "B/s", Better::higher, Origin::measured, "write bandwidth: a[i] = s"},
    {"copy_bytes_per_s", "B/s", Better::higher, Origin::measured,
     "copy bandwidth, read and written bytes: c[i] = a[i]"},
    {"scale_bytes_per_s", "B/s", Better::higher, Origin::measured, "scale bandwidth: b[i] = s * c[i]"},
    {"add_bytes_per_s", "B/s", Better::higher, Origin::measured, "add bandwidth: c[i] = a[i] + b[i]"},
    {"triad_bytes_per_s", "B/s", Better::higher, Origin::measured, "triad bandwidth: a[i] = b[i] + s * c[i]"},
    {"dot_bytes_per_s", "B/s", Better::higher, Origin::measured, "dot product bandwidth: sum += a[i] * b[i]"},
}};

std::vector<const OperationInfo*> chosen_operations(const std::string& text) {
  std::vector<const OperationInfo*> chosen;
  if (text == "all") {
    for (const OperationInfo& info : kOperations) chosen.push_back(&info);
    return chosen;
  }
  for (const std::string_view name : split_list(text, "--operation")) {
    const auto found = std::ranges::find(kOperations, name, &OperationInfo::name);
    if (found == kOperations.end()) {
      throw UsageError(fmt::format(
          "--operation: there is no '{}'; use read, write, copy, scale, add, triad, dot or all", name));
    }
    chosen.push_back(&*found);
  }
  return chosen;
}

bool bypass_caches(const std::string& stores, std::size_t footprint) {
  if (stores == "regular") return false;
  if (stores == "non-temporal") return true;
  if (stores == "auto") return footprint > last_level_cache_bytes() / 2;
  throw UsageError(fmt::format("--stores: '{}' is none of auto, regular, non-temporal", stores));
}

std::vector<int> chosen_cpus(const Parameters& parameters, const Placement& placement) {
  const std::int64_t threads = parameters.integer("threads");
  if (threads > static_cast<std::int64_t>(placement.cpus.size())) {
    throw UsageError(fmt::format("--threads {}: this rank has {} cores", threads, placement.cpus.size()));
  }
  std::vector<int> cpus = placement.cpus;
  if (threads > 0) cpus.resize(static_cast<std::size_t>(threads));
  return cpus;
}

std::unique_ptr<timing::StoppingRule> stopping_rule(const Parameters& parameters) {
  const auto repetitions = static_cast<std::size_t>(parameters.integer("repetitions"));
  std::vector<std::unique_ptr<timing::StoppingRule>> rules;
  if (repetitions > 0) {
    rules.push_back(std::make_unique<timing::SampleCount>(repetitions));
  } else {
    rules.push_back(std::make_unique<timing::MedianConverged>(0.01, 30));
    rules.push_back(std::make_unique<timing::TimeBudget>(parameters.real("max-time")));
  }
  return std::make_unique<timing::FirstOf>(std::move(rules));
}

class Stream final : public Kernel {
 public:
  void check(const Parameters& parameters, const Site& site) const override {
    chosen_operations(parameters.text("operation"));
    chosen_cpus(parameters, site.placement);
    const std::int64_t footprint = parameters.integer("footprint");
    bypass_caches(parameters.text("stores"), static_cast<std::size_t>(footprint));
    const double physical =
        static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
    if (static_cast<double>(footprint) > physical) {
      throw UsageError(fmt::format("--footprint {}: only {} of memory are free on this node",
                                   format_bytes(static_cast<double>(footprint)), format_bytes(physical)));
    }
  }

  void run(Context& context) override {
    const Parameters& parameters = context.parameters;
    const auto footprint = static_cast<std::size_t>(parameters.integer("footprint"));
    const bool bypass = bypass_caches(parameters.text("stores"), footprint);
    host::ThreadTeam team(chosen_cpus(parameters, context.site.placement));
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
    .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<Stream>(); },
};

}  // namespace

const KernelInfo& info() {
  return kInfo;
}

}  // namespace sparkmpi::kernels::stream
