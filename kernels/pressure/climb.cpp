#include "kernels/pressure/climb.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/bytes.hpp"
#include "kernels/timing/sample_loop.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

constexpr double kNoValue = std::numeric_limits<double>::quiet_NaN();
constexpr double kStepsToBudget = 32;
constexpr double kSmallestResolution = 4.0 * 1024 * 1024;
constexpr double kResolutionsInBudget = 4096;
constexpr double kSlowestGrant = 256.0 * 1024 * 1024;  ///< bytes a second that patience allows for
constexpr double kStartPatience = 60;                  ///< seconds; CUDA contexts take a few

double value_of(std::span<const ledger::Reading> readings, const std::string& name) {
  const auto found = std::ranges::find(readings, name, &ledger::Reading::name);
  return found == readings.end() || found->answer != ledger::Answer::value ? kNoValue : found->value;
}

std::vector<std::string> command_of(const ChildOptions& options) {
  std::vector<std::string> words = {kSubCommand, "--allocator", options.allocator, "--floor",
                                    fmt::format("{:.0f}", options.floor)};
  if (options.gpu >= 0) words.insert(words.end(), {"--gpu", fmt::format("{}", options.gpu)});
  if (options.until_killed) words.emplace_back("--until-killed");
  return words;
}

std::uint64_t whole(double bytes) {
  return static_cast<std::uint64_t>(std::max(1.0, bytes));
}

}  // namespace

Climb::Climb(const ClimbOptions& options, ledger::LedgerSet ledgers, std::unique_ptr<ReadProbe> probe,
             Context& context)
    : options_(options),
      ledgers_(std::move(ledgers)),
      probe_(std::move(probe)),
      context_(context),
      cgroup_at_largest_(kNoValue) {
  last_ = read_ledgers();
  if (const auto refusal = start_child())
    throw Error(fmt::format("no child that takes memory could be started: {}", refusal->text));
  last_ = read_ledgers();
  const Headroom left = headroom_of(last_);
  budget_ = budget(left, options.rules);
  const auto ceiling = options.ceiling.value_or(std::numeric_limits<std::uint64_t>::max() / 2);
  const double reach = std::min(budget_, static_cast<double>(ceiling));
  LadderShape shape;
  shape.step = options.step.value_or(whole(reach / kStepsToBudget));
  shape.resolution = std::min(
      shape.step,
      options.resolution.value_or(whole(std::max(kSmallestResolution, reach / kResolutionsInBudget))));
  shape.ceiling = ceiling;
  ladder_.emplace(shape);
  Recorder& recorder = context.recorder;
  recorder.fact("step_bytes", static_cast<std::int64_t>(ladder_->shape().step));
  recorder.fact("resolution_bytes", static_cast<std::int64_t>(ladder_->shape().resolution));
  recorder.fact("budget_bytes", budget_);
  recorder.fact("floor_bytes", options.rules.floor);
  recorder.fact("cgroup_limit_bytes", left.cgroup_limit);
  recorder.fact("cgroup_ledger", left.tightest);
  Report nothing_held;
  nothing_held.allocate_s = nothing_held.touch_s = nothing_held.resident = kNoValue;
  record(0, 0, nothing_held);
  read();
}

std::vector<ledger::Reading> Climb::read_ledgers() {
  return ledgers_.read(true);
}

std::optional<Refusal> Climb::start_child() {
  child_ = std::make_unique<child::ChildProcess>(options_.program, command_of(options_.child));
  const auto ready = await(kStartPatience);
  return ready ? ready->refusal : std::nullopt;
}

std::optional<Report> Climb::await(double patience_s) {
  Report report;
  report.allocate_s = report.touch_s = report.resident = kNoValue;
  const child::Received received = child_->receive(context_.stop, patience_s);
  switch (received.event) {
    case child::Event::record:
      return decode_report(received.record);
    case child::Event::stopped:
      return std::nullopt;
    case child::Event::ended:
      report.refusal = after_death();
      return report;
    case child::Event::timeout:
      report.refusal = classify_stall(patience_s, event_counts(last_), event_counts(read_ledgers()));
      child_.reset();
      ++children_lost_;
      return report;
  }
  return std::nullopt;
}

Refusal Climb::after_death() {
  const child::Ending ending = child_->wait();
  child_.reset();
  ++children_lost_;
  return classify_death(ending.signal, ending.text(), event_counts(last_), event_counts(read_ledgers()));
}

std::optional<Report> Climb::try_size(std::uint64_t target) {
  Report report;
  report.allocate_s = report.touch_s = report.resident = kNoValue;
  if (!child_) {
    held_ = 0;
    report.refusal = start_child();
    if (context_.stop.requested()) return std::nullopt;
    if (report.refusal) return report;
  }
  report.held = held_;
  const auto more = static_cast<double>(target - held_);
  report.refusal = refuse_growth(more, headroom_of(read_ledgers()), options_.rules);
  if (report.refusal) return report;
  child_->send(encode_target(target));  // to a dead child: await() finds out how it died
  return await(options_.patience_s + more / kSlowestGrant);
}

bool Climb::grow() {
  const auto target = ladder_->next();
  if (!target) {
    if (!refusal_) refusal_ = Refusal{Cause::ceiling, "--ceiling was reached and nothing was refused"};
    return false;
  }
  context_.recorder.progress(
      std::min(1.0, static_cast<double>(*target) / std::max(1.0, budget_)),
      fmt::format("{} {}", options_.child.allocator, format_bytes(static_cast<double>(*target))));
  const std::uint64_t held_before = held_;
  const std::optional<Report> report = try_size(*target);
  if (!report) return false;
  held_ = report->held;
  record(*target, held_before, *report);
  if (report->refusal) {
    ladder_->refused(*target);
    refusal_ = report->refusal;
  } else {
    ladder_->granted(*target);
    cgroup_at_largest_ = value_of(last_, headroom_of(last_).tightest + ".current");
  }
  return true;
}

void Climb::record(std::uint64_t target, std::uint64_t held_before, const Report& report) {
  const std::vector<ledger::Reading> now = read_ledgers();
  const EventCounts events = event_counts(now);
  const Headroom left = headroom_of(now);
  const auto put = [this](std::string_view metric, double value) {
    context_.recorder.series(metric, "step").push_back(value);
  };
  const auto risen = [&](const std::string& name) { return value_of(now, name) - value_of(last_, name); };
  put("target_bytes", static_cast<double>(target));
  put("held_bytes", static_cast<double>(report.held));
  put("grown_bytes", static_cast<double>(report.held) - static_cast<double>(held_before));
  put("allocate_time_s", report.allocate_s);
  put("touch_time_s", report.touch_s);
  put("child_resident_bytes", report.resident);
  put("mem_available_bytes", left.mem_available);
  put("mem_free_bytes", value_of(now, "meminfo.MemFree"));
  put("cgroup_current_bytes", value_of(now, left.tightest + ".current"));
  put("cgroup_limit_bytes", left.cgroup_limit);
  put("cgroup_max_events", events.cgroup_max);
  put("cgroup_high_events", events.cgroup_high);
  put("cgroup_oom_kills", events.cgroup_oom_kill);
  put("cuda_free_bytes", left.gpu_free);
  put("memory_stall_s", risen("psi.memory.some.total"));
  put("memory_full_stall_s", risen("psi.memory.full.total"));
  context_.recorder.labels("refused_by", "step")
      .emplace_back(report.refusal ? to_string(report.refusal->cause) : "");
  context_.recorder.labels("refusal", "step").push_back(report.refusal ? report.refusal->text : "");
  last_ = now;
}

void Climb::read() {
  if (probe_ == nullptr || options_.read_time_s <= 0 || context_.stop.requested()) return;
  // After a death nothing is held, and that was read at the start.
  if (read_at_ && (*read_at_ == held_ || held_ == 0)) return;
  read_at_ = held_;
  SoloCommunicator alone;  // the ranks of a node need not have memory to read beside at the same steps
  timing::TimeBudget rule(options_.read_time_s);
  const timing::Samples samples =
      take_samples([this] { probe_->read(); }, rule, timing::SampleOptions{}, alone, context_.stop);
  std::vector<double>& rates = context_.recorder.series("read_bytes_per_s", "read");
  std::vector<double>& beside = context_.recorder.series("read_beside_bytes", "read");
  for (const double seconds : samples.seconds) {
    rates.push_back(probe_->bytes() / seconds);
    beside.push_back(static_cast<double>(held_));
  }
}

void Climb::finish() {
  const auto put = [this](std::string_view metric, double value) {
    context_.recorder.series(metric, "ladder").push_back(value);
  };
  const auto refused = ladder_->smallest_refused();
  put("granted_bytes", static_cast<double>(ladder_->largest_granted()));
  put("refused_bytes", refused ? static_cast<double>(*refused) : kNoValue);
  put("cgroup_at_granted_bytes", cgroup_at_largest_);
  put("children_lost", static_cast<double>(children_lost_));
  context_.recorder.fact("refused_by", std::string(refusal_ ? to_string(refusal_->cause) : "unfinished"));
  context_.recorder.fact("refusal", refusal_ ? refusal_->text : "the ladder was not climbed to its end");
  child_.reset();
  if (read_at_) probe_->verify();
}

}  // namespace sparkmpi::kernels::pressure
