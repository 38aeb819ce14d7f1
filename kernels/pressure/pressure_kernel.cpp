#include "kernels/pressure/pressure_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/bytes.hpp"
#include "base/near_match.hpp"
#include "kernels/device/device_ledgers.hpp"
#include "kernels/pressure/climb.hpp"
#include "kernels/pressure/cuda_pressure.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

using results::Better;
using results::MetricInfo;
using results::Origin;

constexpr double kSmallestFloor = 1024.0 * 1024 * 1024;
constexpr std::uint64_t kHostFootprint = std::uint64_t{64} << 20U;
constexpr std::uint64_t kGpuFootprint = std::uint64_t{512} << 20U;  ///< several times the largest L2

constexpr std::array<OptionSpec, 11> kOptions = {{
    {.name = "allocator",
     .kind = OptionKind::text,
     .default_value = "malloc",
     .list = true,
     .help =
         "malloc, mmap, mmap_huge, hugetlb, posix_shm; on a GPU cuda_malloc, cuda_host, cuda_managed too"},
    {.name = "step",
     .kind = OptionKind::bytes,
     .default_value = "",
     .minimum = static_cast<double>(Ladder::kGrain),
     .help = "bytes between two sizes; unset: 1/32 of what can be had"},
    {.name = "resolution",
     .kind = OptionKind::bytes,
     .default_value = "",
     .minimum = static_cast<double>(Ladder::kGrain),
     .help = "how close granted and refused come; unset: 1/4096 of what can be had, at least 4M"},
    {.name = "ceiling",
     .kind = OptionKind::bytes,
     .default_value = "",
     .minimum = static_cast<double>(Ladder::kGrain),
     .help = "the most that is taken on a node (GPU memory: on a GPU); unset: until refused"},
    {.name = "floor",
     .kind = OptionKind::bytes,
     .default_value = "",
     .minimum = kSmallestFloor,
     .help = "MemAvailable that must stay on the node; unset: 5 % of MemTotal, at least 1G"},
    {.name = "until-killed",
     .kind = OptionKind::flag,
     .default_value = "",
     .help = "go on to the cgroup's limit, where the child is killed; only inside a cgroup with a limit that "
             "the node can spare"},
    {.name = "oversubscribe",
     .kind = OptionKind::flag,
     .default_value = "",
     .help = "cuda_managed may exceed what is free on the GPU"},
    {.name = "mode",
     .kind = OptionKind::text,
     .default_value = "turns",
     .help = "ranks of one node: turns (one climbs after the other), together (all at once, each its share)"},
    {.name = "read-footprint",
     .kind = OptionKind::bytes,
     .default_value = "",
     .minimum = 1 << 20,
     .help = "memory that is read after each step, held from the start; unset: 64M, of a GPU 512M"},
    {.name = "read-time",
     .kind = OptionKind::real,
     .default_value = "0.05",
     .minimum = 0,
     .maximum = 3600,
     .help = "seconds of reading after each step; 0: none"},
    {.name = "patience",
     .kind = OptionKind::real,
     .default_value = "60",
     .minimum = 0.1,
     .maximum = 86400,
     .help = "seconds until a step counts as refused, and 1 more for each 256 MiB of it"},
}};

constexpr std::array<MetricInfo, 22> kMetrics = {{
    {"granted_bytes", "B", Better::higher, Origin::measured, "largest size that was granted and touched"},
    {"refused_bytes", "B", Better::neither, Origin::measured, "smallest size that was refused"},
    {"cgroup_at_granted_bytes", "B", Better::neither, Origin::measured,
     "the tightest cgroup's current beside granted_bytes: all that is charged to it"},
    {"children_lost", "1", Better::neither, Origin::measured, "child processes that died or were given up"},
    {"read_bytes_per_s", "B/s", Better::higher, Origin::measured, "read bandwidth beside what is held"},
    {"read_beside_bytes", "B", Better::neither, Origin::measured, "what was held at each read sample"},
    {"target_bytes", "B", Better::neither, Origin::assumed, "size that a step tried"},
    {"held_bytes", "B", Better::neither, Origin::measured, "bytes granted and touched after a step"},
    {"grown_bytes", "B", Better::neither, Origin::measured,
     "change of held_bytes in a step; negative where the child died"},
    {"allocate_time_s", "s", Better::neither, Origin::measured, "a step's call of the allocator"},
    {"touch_time_s", "s", Better::neither, Origin::measured, "writing every page of a step"},
    {"child_resident_bytes", "B", Better::neither, Origin::measured, "the child's resident set"},
    {"mem_available_bytes", "B", Better::neither, Origin::measured, "meminfo.MemAvailable after a step"},
    {"mem_free_bytes", "B", Better::neither, Origin::measured, "meminfo.MemFree after a step"},
    {"cgroup_current_bytes", "B", Better::neither, Origin::measured, "current of the tightest cgroup"},
    {"cgroup_limit_bytes", "B", Better::neither, Origin::measured, "limit of the tightest cgroup"},
    {"cgroup_max_events", "1", Better::neither, Origin::measured,
     "times a limit was hit, in the cgroup and its parents, since they were made"},
    {"cgroup_high_events", "1", Better::neither, Origin::measured, "the same of memory.high"},
    {"cgroup_oom_kills", "1", Better::neither, Origin::measured, "the same of OOM kills"},
    {"cuda_free_bytes", "B", Better::neither, Origin::measured, "cudaMemGetInfo's free after a step"},
    {"memory_stall_s", "s", Better::neither, Origin::measured,
     "time in which some task of the node waited for memory, in a step and the reading before it (PSI)"},
    {"memory_full_stall_s", "s", Better::neither, Origin::measured, "the same for all tasks at once"},
}};

std::optional<std::uint64_t> bytes_if_given(const Parameters& parameters, std::string_view name) {
  if (!parameters.has(name)) return std::nullopt;
  return static_cast<std::uint64_t>(parameters.integer(name));
}

bool together(const Parameters& parameters) {
  const std::string& mode = parameters.text("mode");
  if (mode != "turns" && mode != "together")
    throw UsageError(fmt::format("--mode: '{}' is none of turns, together", mode));
  return mode == "together";
}

const CudaPressure* cuda_side(const Site& site) {
  return site.placement.device.kind == DeviceKind::cuda ? site.cuda.find<CudaPressure>() : nullptr;
}

struct Chosen {
  const AllocatorInfo* allocator;
  bool on_gpu;
};

Chosen chosen_allocator(const Parameters& parameters, const Site& site) {
  const std::string& name = parameters.text("allocator");
  std::vector<std::string_view> names;
  const auto find = [&](std::span<const AllocatorInfo> allocators) -> const AllocatorInfo* {
    for (const AllocatorInfo& info : allocators) names.push_back(info.name);
    const auto found = std::ranges::find(allocators, name, &AllocatorInfo::name);
    return found == allocators.end() ? nullptr : &*found;
  };
  if (const AllocatorInfo* info = find(host_allocators())) return {info, false};
  if (const CudaPressure* const cuda = cuda_side(site)) {
    if (const AllocatorInfo* info = find(cuda->allocators())) return {info, true};
  } else if (name.starts_with("cuda")) {
    throw UsageError(fmt::format("--allocator {}: this rank drives {}, not a GPU{}{}", name,
                                 site.placement.device.id, site.cuda.reason().empty() ? "" : ": ",
                                 site.cuda.reason()));
  }
  throw UsageError(fmt::format("--allocator: there is no '{}'{}; use {}", name, did_you_mean(name, names),
                               fmt::join(names, ", ")));
}

double chosen_floor(const Parameters& parameters) {
  if (parameters.has("floor")) return static_cast<double>(parameters.integer("floor"));
  const auto readings = ledger::standard_ledgers().read(true);
  const auto total = std::ranges::find(readings, "meminfo.MemTotal", &ledger::Reading::name);
  if (total == readings.end() || total->answer != ledger::Answer::value)
    throw UsageError("--floor: MemTotal cannot be read here; give the floor as a size");
  return default_floor(total->value);
}

/// Memory models in which the GPU's memory can be the host's.
bool shares_host_memory(MemoryModel model) {
  return model == MemoryModel::integrated || model == MemoryModel::coherent;
}

ClimbOptions climb_options(const Parameters& parameters, const Site& site, const Chosen& chosen) {
  const bool oversubscribe = parameters.flag("oversubscribe");
  ClimbOptions options;
  options.child.allocator = chosen.allocator->name;
  options.child.gpu = chosen.on_gpu ? site.placement.device.ordinal : -1;
  options.rules.floor = options.child.floor = chosen_floor(parameters);
  options.rules.until_killed = options.child.until_killed = parameters.flag("until-killed");
  options.rules.pool = chosen.allocator->pool;
  if (options.rules.pool == Pool::gpu && (shares_host_memory(site.placement.device.memory_model) ||
                                          (chosen.allocator->may_leave_gpu && oversubscribe)))
    options.rules.pool = Pool::gpu_shared;
  options.rules.bound_by_gpu_free = chosen.allocator->may_leave_gpu && !oversubscribe;
  const bool shared_by_ranks = together(parameters) && options.rules.pool != Pool::gpu;
  options.rules.growing = shared_by_ranks ? site.local_ranks : 1;
  options.step = bytes_if_given(parameters, "step");
  options.resolution = bytes_if_given(parameters, "resolution");
  options.ceiling = bytes_if_given(parameters, "ceiling");
  if (options.ceiling) *options.ceiling /= static_cast<std::uint64_t>(options.rules.growing);
  options.patience_s = parameters.real("patience");
  options.read_time_s = parameters.real("read-time");
  return options;
}

class Pressure final : public Kernel {
 public:
  void check(const Parameters& parameters, const Site& site) const override {
    const ClimbOptions options = climb_options(parameters, site, chosen_allocator(parameters, site));
    if (options.step && options.resolution && *options.resolution > *options.step)
      throw UsageError(fmt::format("--resolution {}: at most the step of {} makes sense",
                                   format_bytes(static_cast<double>(*options.resolution)),
                                   format_bytes(static_cast<double>(*options.step))));
    if (options.ceiling && *options.ceiling < Ladder::kGrain)
      throw UsageError(fmt::format("--ceiling: divided between {} ranks it must leave {} for each",
                                   site.local_ranks, format_bytes(static_cast<double>(Ladder::kGrain))));
    if (!options.rules.until_killed) return;
    if (const auto refusal = refuse_until_killed({}, options.rules.floor))
      throw UsageError(fmt::format("--until-killed: {}", *refusal));
  }

  void run(Context& context) override {
    const bool at_once = together(context.parameters);
    const int turns = at_once ? 1 : context.world.local_size();
    bool all_had_theirs = false;
    for (int turn = 0; !all_had_theirs; ++turn) {
      climb(at_once || context.world.local_rank() == turn, context);
      if (context.stop.requested()) {
        context.recorder.stop_reason("interrupted");
        return;
      }
      all_had_theirs = context.world.all_agree("pressure: turns", turn + 1 >= turns);
    }
    context.recorder.stop_reason("ladder_ended");
  }

 private:
  /// Every rank goes through the same phases; `mine`: this one climbs. Ranks that climb at the same time take
  /// their steps side by side and hold what they have until the last of them is done.
  static void climb(bool mine, Context& context) {
    const Chosen chosen = chosen_allocator(context.parameters, context.site);
    const ClimbOptions options = climb_options(context.parameters, context.site, chosen);
    std::optional<Climb> ladder;
    if (mine) {
      ladder.emplace(options, device_ledgers(context.site.placement.device, context.site.cuda),
                     probe(options, context), context);
    }
    try {
      bool climbing = mine, any = true;
      while (any && !context.stop.requested()) {
        if (climbing) climbing = ladder->grow() && !context.stop.requested();
        context.world.barrier("pressure: read");
        if (climbing) ladder->read();
        any = !context.world.all_agree("pressure: grow", !climbing);
      }
    } catch (...) {
      // Another rank has ended this section; what this one knows is kept.
      if (mine) ladder->finish();
      throw;
    }
    if (mine) ladder->finish();
  }

  static std::unique_ptr<ReadProbe> probe(const ClimbOptions& options, const Context& context) {
    if (options.read_time_s <= 0) return nullptr;
    const auto footprint = bytes_if_given(context.parameters, "read-footprint");
    if (options.rules.pool != Pool::host)
      return cuda_side(context.site)->make_read_probe(options.child.gpu, footprint.value_or(kGpuFootprint));
    return make_host_read_probe(context.site.placement.cpus, footprint.value_or(kHostFootprint));
  }
};

constexpr KernelInfo kInfo = {
    .name = "pressure",
    .summary = "how much memory can be had, what refuses the rest, and read bandwidth on the way there",
    .example = "sparkmpi pressure --allocator malloc,posix_shm --ceiling 8G",
    .options = kOptions,
    .metrics = kMetrics,
    .headline = "granted_bytes",
    .runs_on_gpu = true,
    .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<Pressure>(); },
};

}  // namespace

const KernelInfo& info() {
  return kInfo;
}

}  // namespace sparkmpi::kernels::pressure
