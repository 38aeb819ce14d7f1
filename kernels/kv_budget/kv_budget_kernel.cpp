#include "kernels/kv_budget/kv_budget_kernel.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/value_list.hpp"
#include "kernels/inference/model_catalog.hpp"
#include "kernels/inference/safetensors.hpp"
#include "kernels/kv_budget/rules.hpp"
#include "ledger/environment.hpp"
#include "ledger/injected_file.hpp"

namespace sparkmpi::kernels::kv_budget {
namespace {

using results::Better;
using results::MetricInfo;
using results::Origin;

constexpr const char* kBudget = "budget";
constexpr const char* kCapacity = "capacity";
constexpr const char* kInjection = "injection";

constexpr std::array<OptionSpec, 6> kOptions = {{
    {.name = "model",
     .short_name = 'm',
     .kind = OptionKind::text,
     .default_value = "Meta-Llama-3-8B",
     .list = true,
     .help = "Hugging Face directory, or a name found in $SPARKMPI_MODEL_PATH or in `sparkmpi list models`"},
    {.name = "fraction",
     .kind = OptionKind::real,
     .default_value = "0.9",
     .minimum = 0.01,
     .maximum = 1,
     .help = "part of the memory that the rules are told to use"},
    {.name = "contexts",
     .kind = OptionKind::text,
     .default_value = "8K,32K,128K",
     .help = "context lengths in tokens (K is 1024) for which concurrent requests are counted"},
    {.name = "weight-bytes",
     .kind = OptionKind::real,
     .default_value = "0",
     .minimum = 0,
     .maximum = 16,
     .help = "bytes of a weight (0.5: four bits); 0: the size of the model's files, or what its "
             "configuration makes it"},
    {.name = "kv-element-bytes",
     .kind = OptionKind::real,
     .default_value = "2",
     .minimum = 0.25,
     .maximum = 16,
     .help = "bytes of a key's or value's element (1: FP8)"},
    {.name = "inject",
     .kind = OptionKind::text,
     .default_value = "",
     .help = "sizes of page cache (1G,4G) of an unrelated file, read one after the other to see the budgets "
             "move"},
}};

constexpr std::array<MetricInfo, 14> kMetrics = {{
    {"kv_budget_spread_bytes", "B", Better::neither, Origin::derived,
     "largest less smallest KV cache that the rules give where they fit, nothing injected"},
    {"weights_bytes", "B", Better::neither, Origin::derived, "weights that every rule leaves room for"},
    {"kv_bytes_per_token", "B", Better::neither, Origin::derived, "keys and values of a token, all layers"},
    {"kv_budget_bytes", "B", Better::neither, Origin::derived,
     "KV cache by a rule over a pool; negative: what is missing; NaN: no answer, or refused"},
    {"kv_budget_tokens", "1", Better::neither, Origin::derived, "whole tokens in it"},
    {"kv_budget_change_bytes", "B", Better::neither, Origin::derived,
     "its change against the same rule with nothing injected"},
    {"pool_total_bytes", "B", Better::neither, Origin::measured, "what the pool's ledger says there is"},
    {"pool_free_bytes", "B", Better::neither, Origin::measured, "what the pool's ledger says is free"},
    {"budget_injected_bytes", "B", Better::neither, Origin::assumed, "page cache injected at that budget"},
    {"concurrent_requests", "1", Better::neither, Origin::derived, "requests of a context that fit at once"},
    {"context_tokens", "1", Better::neither, Origin::assumed, "that context"},
    {"capacity_budget", "1", Better::neither, Origin::assumed, "the budget, as a place on the axis budget"},
    {"injected_bytes", "B", Better::neither, Origin::assumed, "page cache asked for, on a node's first rank"},
    {"injected_resident_bytes", "B", Better::neither, Origin::measured, "of it seen in the page cache"},
}};

struct Settings {
  Demand demand;
  double fraction = 0;
  std::vector<std::int64_t> contexts;
  std::vector<std::int64_t> inject;  ///< bytes, none of them twice
  std::string weights_source;
};

std::vector<std::int64_t> positive_list(const std::string& text, std::string_view option) {
  std::vector<std::int64_t> values = parse_integer_list(text, option, true);
  for (const std::int64_t value : values) {
    if (value <= 0) throw UsageError(fmt::format("{} {}: give values above 0", option, text));
  }
  return values;
}

std::vector<std::filesystem::path> weight_files(const inference::ModelSource& model) {
  if (!model.has_weights) return {};
  return inference::SafetensorsDirectory::list(model.directory);
}

void size_weights(const inference::ModelSource& model, double weight_bytes, Settings& settings) {
  if (weight_bytes > 0) {
    settings.weights_source = fmt::format("{} bytes a weight, as told", weight_bytes);
    return;
  }
  settings.weights_source =
      fmt::format("{} by the configuration: no files to look at", inference::precision_of(model.config));
  const std::vector<std::filesystem::path> files = weight_files(model);
  if (files.empty()) return;
  double bytes = 0;
  for (const std::filesystem::path& file : files) {
    std::error_code failed;
    const std::uintmax_t size = std::filesystem::file_size(file, failed);
    if (failed) throw UsageError(fmt::format("{}: {}", file.string(), failed.message()));
    bytes += static_cast<double>(size);
  }
  settings.demand.weights = bytes;
  settings.weights_source = "the size of the files in " + model.directory.string();
}

Settings resolve(const Parameters& parameters) {
  Settings settings;
  const inference::ModelSource model =
      inference::find_model(parameters.text("model"), ledger::process_environment("SPARKMPI_MODEL_PATH"));
  const double weight_bytes = parameters.real("weight-bytes");
  settings.demand = demand_of(model.config, weight_bytes, parameters.real("kv-element-bytes"));
  size_weights(model, weight_bytes, settings);
  settings.fraction = parameters.real("fraction");
  settings.contexts = positive_list(parameters.text("contexts"), "--contexts");
  if (parameters.has("inject")) {
    settings.inject = positive_list(parameters.text("inject"), "--inject");
    for (std::size_t i = 0; i < settings.inject.size(); ++i) {
      if (std::find(settings.inject.begin(), settings.inject.begin() + static_cast<std::ptrdiff_t>(i),
                    settings.inject[i]) != settings.inject.begin() + static_cast<std::ptrdiff_t>(i))
        throw UsageError(fmt::format("--inject {}: a size is there twice", parameters.text("inject")));
    }
  }
  return settings;
}

/// Puts the budgets of one state on the axes.
class BudgetRecord {
 public:
  BudgetRecord(Recorder& recorder, const Settings& settings) : recorder_(recorder), settings_(settings) {}

  void add(const ledger::Snapshot& snapshot, double injected) {
    const std::vector<Pool> pools = pools_of(snapshot.readings);
    const std::vector<Budget> all = budgets(pools, settings_.demand, settings_.fraction);
    if (bytes_before_.empty()) {
      for (const Budget& budget : all) bytes_before_.push_back(budget.bytes);
      record_spread(all);
    }
    for (std::size_t i = 0; i < all.size(); ++i) {
      add_capacities(all[i]);
      put("kv_budget_bytes", all[i].bytes);
      put("kv_budget_tokens", all[i].tokens);
      put("kv_budget_change_bytes", all[i].bytes - bytes_before_[i]);
      put("pool_total_bytes", all[i].pool.total);
      put("pool_free_bytes", all[i].pool.free);
      put("budget_injected_bytes", injected);
      recorder_.labels("budget_rule", kBudget).emplace_back(all[i].rule->name);
      recorder_.labels("budget_pool", kBudget).emplace_back(all[i].pool.name);
      recorder_.labels("budget_status", kBudget).emplace_back(to_string(all[i].status));
    }
  }

 private:
  void put(std::string_view metric, double value) { recorder_.series(metric, kBudget).push_back(value); }

  void add_capacities(const Budget& budget) {
    const auto place = static_cast<double>(recorder_.series("kv_budget_bytes", kBudget).size());
    for (const std::int64_t context : settings_.contexts) {
      recorder_.series("concurrent_requests", kCapacity)
          .push_back(concurrent_requests(budget, settings_.demand, context));
      recorder_.series("context_tokens", kCapacity).push_back(static_cast<double>(context));
      recorder_.series("capacity_budget", kCapacity).push_back(place);
    }
  }

  void record_spread(const std::vector<Budget>& all) {
    std::vector<double> fitting;
    for (const Budget& budget : all) {
      if (budget.status == Status::fits) fitting.push_back(budget.bytes);
    }
    if (fitting.empty()) return;
    const auto [least, most] = std::ranges::minmax(fitting);
    recorder_.series("kv_budget_spread_bytes", "setup").push_back(most - least);
  }

  Recorder& recorder_;
  const Settings& settings_;
  std::vector<double> bytes_before_;
};

class KvBudgetKernel final : public Kernel {
 public:
  void check(const Parameters& parameters, const Site& /*site*/) const override {
    const Settings settings = resolve(parameters);
    for (const std::int64_t bytes : settings.inject)
      ledger::require_room_for_injection(static_cast<std::uint64_t>(bytes), "--inject");
    if (!settings.inject.empty()) ledger::injection_directory();
  }

  std::vector<std::filesystem::path> files(const Parameters& parameters) const override {
    return weight_files(
        inference::find_model(parameters.text("model"), ledger::process_environment("SPARKMPI_MODEL_PATH")));
  }

  void run(Context& context) override {
    const Settings settings = resolve(context.parameters);
    Recorder& recorder = context.recorder;
    recorder.fact("weights_source", settings.weights_source);
    for (const Rule& rule : rules())
      recorder.fact(fmt::format("rule_{}", rule.name), std::string(rule.formula));
    // A rule over the host's memory gives this much to each process that applies it.
    recorder.fact("ranks_on_host_pools", std::int64_t{context.site.local_ranks});
    BudgetRecord record(recorder, settings);
    context.world.barrier("kv_budget: budgets");
    record.add(recorder.moment("uninjected"), 0);
    recorder.series("weights_bytes", "setup").push_back(settings.demand.weights);
    recorder.series("kv_bytes_per_token", "setup").push_back(settings.demand.kv_per_token);
    bool interrupted = false;
    for (std::size_t i = 0; i < settings.inject.size() && !interrupted; ++i) {
      recorder.progress(static_cast<double>(i) / static_cast<double>(settings.inject.size()), "page cache");
      interrupted = !inject(settings.inject[i], record, context);
    }
    recorder.stop_reason(interrupted ? "interrupted" : "count");
  }

 private:
  /// The node's first rank holds the pages while every rank reads its ledgers. False when interrupted.
  static bool inject(std::int64_t bytes, BudgetRecord& record, Context& context) {
    std::optional<ledger::InjectedFile> file;
    if (context.world.local_rank() == 0) {
      file.emplace(static_cast<std::uint64_t>(bytes), ledger::injection_directory());
      file->fill([&] { return context.stop.requested(); });
      if (context.stop.requested()) return false;
      const auto resident = static_cast<std::int64_t>(file->resident());
      context.recorder.series("injected_bytes", kInjection).push_back(static_cast<double>(bytes));
      context.recorder.series("injected_resident_bytes", kInjection).push_back(static_cast<double>(resident));
      if (resident != bytes) {
        throw Error(fmt::format(
            "--inject: only {} of {} stayed in the page cache; what is free, or the cgroup's "
            "limit, is less than that",
            format_bytes(static_cast<double>(resident)), format_bytes(static_cast<double>(bytes))));
      }
    }
    context.world.barrier("kv_budget: injected");
    record.add(context.recorder.moment(fmt::format("injected_{}", bytes)), static_cast<double>(bytes));
    context.world.barrier("kv_budget: read");
    file.reset();
    context.world.barrier("kv_budget: let go");
    context.recorder.moment(fmt::format("let_go_{}", bytes));
    return true;
  }
};

constexpr KernelInfo kInfo = {
    .name = "kv_budget",
    .summary =
        "KV cache, tokens and requests that each sizing rule would give here, and how page cache moves them",
    .example = "sparkmpi kv_budget -m Meta-Llama-3-8B,SmolLM2-135M --inject 1G",
    .options = kOptions,
    .metrics = kMetrics,
    .headline = "kv_budget_spread_bytes",
    .runs_on_gpu = true,
    .make = []() -> std::unique_ptr<Kernel> { return std::make_unique<KvBudgetKernel>(); },
};

}  // namespace

const KernelInfo& info() {
  return kInfo;
}

}  // namespace sparkmpi::kernels::kv_budget
