#include "mpi/runner.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <optional>

#include "base/clock.hpp"
#include "base/error.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/device/device_ledgers.hpp"
#include "ledger/environment.hpp"
#include "ledger/sampler.hpp"
#include "ledger/software.hpp"
#include "results/codec.hpp"
#include "results/kernel_layout.hpp"
#include "results/writer.hpp"

namespace sparkmpi::mpi {
namespace {

using kernels::PlannedPoint;
using results::KernelRecord;

double seconds_since(std::chrono::steady_clock::time_point start) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

results::RankInfo rank_info(const World& world, const kernels::Placement& placement) {
  const ledger::Environment environment = ledger::detect_environment();
  results::RankInfo info;
  info.facts = environment.facts;
  info.facts.merge(ledger::software_facts());
  info.facts.merge(binding_facts(placement));
  info.facts["environment"] = environment.name;
  info.facts["environment_evidence"] = environment.evidence;
  info.facts["host"] = world.host();
  info.facts["node"] = std::int64_t{world.node()};
  info.facts["local_rank"] = std::int64_t{world.local_rank()};
  info.facts["pid"] = static_cast<std::int64_t>(getpid());
  return info;
}

/// "stream footprint=1048576": what tells this point from its neighbours.
std::string title_of(const PlannedPoint& planned) {
  constexpr std::size_t kMost = 48;
  std::string title = planned.point.kernel;
  for (const kernels::OptionSpec& option : planned.kernel->options) {
    const auto value = planned.point.parameters.find(option.name);
    if (!option.list || value == planned.point.parameters.end()) continue;
    const std::string text = fmt::format(" {}={}", option.name, to_string(value->second));
    if (title.size() + text.size() <= kMost) title += text;
  }
  return title;
}

class Runner {
 public:
  Runner(World& world, const kernels::Plan& plan, const RunOptions& options)
      : world_(world),
        plan_(plan),
        options_(options),
        cache_(options.cache, world.local_rank() == 0),
        progress_(stderr, world.rank() == 0 ? options.verbosity : Verbosity::quiet,
                  static_cast<int>(plan.size())) {
    world_.set_watchdog(options.watchdog);
  }

  RunOutcome run(results::RunInfo info) {
    prepare(std::move(info));
    RunOutcome outcome;
    for (const PlannedPoint& planned : plan_) {
      progress_.begin(planned.point.index, title_of(planned));
      const KernelRecord record = measure(planned);
      const bool complete = commit(planned, record);
      ++outcome.points_done;
      outcome.signal = world_.interruption().signal();
      if (!complete && outcome.signal == 0) ++outcome.points_failed;
      progress_.finish(complete ? "ok" : outcome.signal != 0 ? "interrupted" : std::string_view("failed"));
      if (world_.rank() == 0 && !failure_.empty())
        fmt::print(stderr, "sparkmpi: {}: {}\n", planned.point.kernel, failure_);
      if (const std::string remark = cache_.remark(); world_.rank() == 0 && !remark.empty())
        fmt::print(stderr, "sparkmpi: {}\n", remark);
      if (outcome.signal != 0) break;
    }
    return outcome;
  }

 private:
  /// Everything that can be refused is refused here, before anything is measured.
  void prepare(results::RunInfo info) {
    world_.together("bind ranks", [&] {
      BindingOptions binding = options_.binding;
      binding.cuda_kernels =
          std::ranges::all_of(plan_, [](const PlannedPoint& planned) { return planned.kernel->runs_on_gpu; });
      placement_ = bind_rank(world_, binding, cuda_.devices());
      if (placement_->device.kind == kernels::DeviceKind::cuda) refuse_host_kernels();
      site_.emplace(kernels::Site{*placement_, cuda_, world_.size(), world_.local_size(), world_.rank()});
      ledgers_ = kernels::device_ledgers(placement_->device, cuda_);
      sampled_ = kernels::device_ledgers(placement_->device, cuda_);
    });
    world_.together("check parameters", [&] {
      for (const PlannedPoint& planned : plan_)
        planned.kernel->make()->check(kernels::Parameters(planned.point.parameters), *site_);
      cache_.check(plan_);
    });
    const std::vector<std::uint8_t> mine = results::encode(rank_info(world_, *placement_));
    const auto all = world_.gather(mine);
    world_.together("create the result file", [&] {
      if (world_.rank() != 0) return;
      std::vector<results::RankInfo> ranks;
      ranks.reserve(all.size());
      for (const auto& bytes : all) ranks.push_back(results::decode_rank_info(bytes));
      info.facts["mpi_library"] = World::library_version();
      info.facts["ranks"] = std::int64_t{world_.size()};
      info.facts["nodes"] = std::int64_t{world_.node_count()};
      info.facts["points_planned"] = static_cast<std::int64_t>(plan_.size());
      info.facts["sample_rate_hz"] = options_.sample_rate_hz;
      writer_.emplace(options_.output, options_.force, info, ranks);
    });
    // After a barrier, so that the ranks' clocks start within its skew.
    clock_ = Clock();
  }

  void refuse_host_kernels() const {
    for (const PlannedPoint& planned : plan_) {
      if (!planned.kernel->runs_on_gpu)
        throw UsageError(fmt::format("--device {}: {} runs on the host only; use --device host",
                                     placement_->device.id, planned.kernel->name));
    }
  }

  KernelRecord measure(const PlannedPoint& planned) {
    const kernels::Parameters parameters(planned.point.parameters);
    kernels::Recorder recorder(planned.kernel->metrics, ledgers_, clock_,
                               [this](double done, std::string_view text) { progress_.update(done, text); });
    ledger::Sampler sampler(sampled_, clock_, options_.sample_rate_hz);
    const std::string name = results::kernel_group_name(planned.point);
    world_.end_section(name + ": start", true, false);
    cache_.before_point(planned, world_.interruption().stop());
    world_.end_section(name + ": cache", true, false);
    recorder.moment("before");
    const double start = clock_.now_s();
    sampler.start();
    bool completed = false, failed = false;
    std::string error;
    try {
      kernels::Context context{parameters, *site_, world_, recorder, world_.interruption().stop()};
      planned.kernel->make()->run(context);
      completed = true;
    } catch (const kernels::PeerFailure&) {
      recorder.stop_reason("peer_failed");
    } catch (const kernels::PeerInterrupted&) {
      recorder.stop_reason("interrupted");
    } catch (const WatchdogExpired&) {
      throw;
    } catch (const std::bad_alloc&) {
      failed = true;
      error = "out of memory";
    } catch (const std::exception& problem) {
      failed = true;
      error = problem.what();
    }
    const double end = clock_.now_s();
    ledger::Timeline timeline = sampler.stop();
    world_.end_section(name + ": end", true, failed);
    recorder.moment("after");
    if (failed) recorder.stop_reason("failed");
    KernelRecord record = std::move(recorder).take();
    cache_.after_point(record);
    record.start_s = start;
    record.end_s = end;
    record.timeline = std::move(timeline);
    record.outcome.error = error;
    record.outcome.complete = completed && record.outcome.stop_reason != "interrupted";
    return record;
  }

  /// Gathers and writes; true when the point is complete on every rank.
  bool commit(const PlannedPoint& planned, const KernelRecord& record) {
    const auto start = std::chrono::steady_clock::now();
    const bool mine_complete = record.outcome.complete;
    const std::vector<std::uint8_t> mine = results::encode(record);
    const auto all = world_.gather(mine);
    const double gathered = seconds_since(start);
    failure_.clear();
    world_.together("commit", [&] {
      if (world_.rank() != 0) return;
      std::vector<KernelRecord> records;
      records.reserve(all.size());
      for (const auto& bytes : all) records.push_back(results::decode_record(bytes));
      for (std::size_t rank = 0; rank < records.size() && failure_.empty(); ++rank) {
        if (!records[rank].outcome.error.empty())
          failure_ =
              fmt::format("{}: {}", world_.describe(static_cast<int>(rank)), records[rank].outcome.error);
      }
      writer_->commit(planned.point, with_file_metrics(planned.kernel->metrics), records);
    });
    progress_.detail(fmt::format("committed {}: gather {:.1f} ms, commit {:.1f} ms, {} ranks",
                                 results::kernel_group_name(planned.point), gathered * 1e3,
                                 (seconds_since(start) - gathered) * 1e3, world_.size()));
    return world_.end_section("committed", mine_complete, false).all_agree;
  }

  World& world_;
  const kernels::Plan& plan_;
  const RunOptions& options_;
  const kernels::CudaModule cuda_;
  ledger::LedgerSet ledgers_;  ///< of the measuring thread
  ledger::LedgerSet sampled_;  ///< of the sampler's
  CacheControl cache_;
  Progress progress_;
  Clock clock_;
  std::optional<kernels::Placement> placement_;
  std::optional<kernels::Site> site_;
  std::optional<results::ResultWriter> writer_;  ///< rank 0's
  std::string failure_;                          ///< rank 0: why the last point failed
};

}  // namespace

RunOutcome run_plan(World& world, const kernels::Plan& plan, const RunOptions& options,
                    results::RunInfo run) {
  const SignalHandlers handlers(world.interruption());
  return Runner(world, plan, options).run(std::move(run));
}

}  // namespace sparkmpi::mpi
