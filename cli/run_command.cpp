#include "cli/run_command.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <ctime>

#include "base/error.hpp"
#include "base/value_list.hpp"
#include "cli/help.hpp"
#include "cli/launch_rank.hpp"
#include "cli/parse_options.hpp"
#include "cli/plan_builder.hpp"
#include "cli/summary_text.hpp"
#include "cli/version.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/registry.hpp"
#include "kernels/suite/default_suite.hpp"
#include "mpi/check.hpp"
#include "results/reader.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
using kernels::KernelInfo;
using kernels::OptionKind;
using kernels::OptionSpec;

std::tm utc_now() {
  const std::time_t now = std::time(nullptr);
  std::tm broken_down{};
  gmtime_r(&now, &broken_down);
  return broken_down;
}

po::options_description run_options() {
  po::options_description options("Options of every run", 80, 36);
  auto add = options.add_options();
  add("help,h", "this text");
  add("output,o", po::value<std::string>()->value_name("FILE"), "result file (default: sparkmpi-TIME.h5)");
  add("force", "overwrite the result file");
  add("label", po::value<std::vector<std::string>>()->value_name("NAME=VALUE"),
      "fact to keep with the result (study=…, block=3); may be repeated");
  add("device", po::value<std::string>()->default_value("auto")->value_name("D"),
      "auto, host, cuda or cuda:K");
  add("allow-sharing", "let two ranks drive one GPU");
  add("bind", po::value<std::string>()->default_value("auto")->value_name("B"),
      "auto: a node's cores are divided between its ranks; inherit: keep the launcher's masks");
  add("cache", po::value<std::string>()->default_value("keep")->value_name("STATE"),
      "page cache before each point, once a node: keep, drop, warm-model (the model's files), inject=SIZE "
      "(so much of an unrelated file)");
  add("also-check", po::value<std::string>()->value_name("DIR"),
      "look below these directories (comma-separated) for copies of the run's files that take page "
      "cache twice");
  add("sample-rate", po::value<double>()->default_value(10, "10")->value_name("HZ"),
      "ledger samples a second; 0: none");
  add("watchdog", po::value<double>()->default_value(60, "60")->value_name("S"),
      "name a late rank after so many seconds; 0: never");
  add("hang-timeout", po::value<double>()->default_value(0, "0")->value_name("S"),
      "give up on a late rank; 0: never");
  add("quiet,q", "no progress and no summary");
  add("verbose,v", "say what each commit took");
  add("dry-run", "print the points and measure nothing");
  return options;
}

std::string spelled(const OptionSpec& option) {
  return option.short_name == 0 ? std::string(option.name)
                                : fmt::format("{},{}", option.name, option.short_name);
}

/// The kernels' options, each name once.
po::options_description kernel_options(const std::vector<const KernelInfo*>& kernels) {
  po::options_description options("Options of the kernels", 80, 36);
  for (const KernelInfo* kernel : kernels) {
    for (const OptionSpec& option : kernel->options) {
      if (options.find_nothrow(std::string(option.name), false) != nullptr) continue;
      std::string help(option.help);
      if (option.list) help += " [list]";
      if (!option.default_value.empty()) help += fmt::format(" ({})", option.default_value);
      if (option.kind == OptionKind::flag) {
        options.add_options()(spelled(option).c_str(), help.c_str());
      } else {
        options.add_options()(spelled(option).c_str(), po::value<std::string>()->value_name("X"),
                              help.c_str());
      }
    }
  }
  return options;
}

double seconds_option(const po::variables_map& values, const char* name) {
  const double seconds = values[name].as<double>();
  if (!(seconds >= 0)) throw UsageError(fmt::format("--{} {}: give 0 or more seconds", name, seconds));
  return seconds;
}

mpi::RunOptions run_options_of(const po::variables_map& values) {
  mpi::RunOptions options;
  options.output = values.count("output") != 0 ? values["output"].as<std::string>()
                                               : fmt::format("sparkmpi-{:%Y%m%dT%H%M%S}.h5", utc_now());
  if (options.output.empty()) throw UsageError("-o needs a file name");
  options.force = values.count("force") != 0;
  options.binding.device = values["device"].as<std::string>();
  options.binding.allow_sharing = values.count("allow-sharing") != 0;
  const std::string bind = values["bind"].as<std::string>();
  if (bind != "auto" && bind != "inherit")
    throw UsageError(fmt::format("--bind: '{}' is neither auto nor inherit", bind));
  options.binding.policy = bind == "auto" ? mpi::BindPolicy::divide : mpi::BindPolicy::inherit;
  options.cache.request = ledger::parse_cache_request(values["cache"].as<std::string>());
  if (values.count("also-check") != 0) {
    for (const std::string_view directory :
         split_list(values["also-check"].as<std::string>(), "--also-check"))
      options.cache.also_check.emplace_back(directory);
  }
  options.sample_rate_hz = values["sample-rate"].as<double>();
  if (!(options.sample_rate_hz >= 0 && options.sample_rate_hz <= 1000))
    throw UsageError(
        fmt::format("--sample-rate {}: give 0 (off) to 1000 samples a second", options.sample_rate_hz));
  options.watchdog = {seconds_option(values, "watchdog"), seconds_option(values, "hang-timeout")};
  if (values.count("quiet") != 0) options.verbosity = mpi::Verbosity::quiet;
  if (values.count("verbose") != 0) options.verbosity = mpi::Verbosity::verbose;
  return options;
}

/// Kernel options as typed, by long name.
TypedOptions typed_of(const po::variables_map& values, const po::options_description& options) {
  TypedOptions typed;
  for (const auto& option : options.options()) {
    const auto& value = values[option->long_name()];
    if (value.empty()) continue;
    const auto* text = boost::any_cast<std::string>(&value.value());
    typed[option->long_name()] = text != nullptr && option->semantic()->max_tokens() > 0 ? *text : "1";
  }
  return typed;
}

/// The words before the first option are kernels.
std::vector<const KernelInfo*> leading_kernels(const std::vector<std::string>& arguments) {
  std::vector<const KernelInfo*> kernels;
  for (const std::string& word : arguments) {
    if (word.starts_with("-")) break;
    kernels.push_back(&kernels::find_kernel(word));
  }
  return kernels;
}

void add_suite(const TypedOptions& typed, std::uint64_t gpu_memory, kernels::Plan& plan) {
  for (const kernels::SuiteEntry& entry : kernels::default_suite(gpu_memory)) {
    const KernelInfo& kernel = kernels::find_kernel(entry.kernel);
    const po::options_description options = kernel_options({&kernel});
    TypedOptions own =
        typed_of(parse_options({entry.arguments.begin(), entry.arguments.end()}, options).values, options);
    for (const auto& [name, text] : typed) own[name] = text;
    add_points(kernel, own, plan);
  }
}

/// 0 without a GPU.
std::uint64_t smallest_gpu_memory() {
  const kernels::CudaModule cuda;
  std::uint64_t smallest = 0;
  for (const kernels::Device& device : cuda.devices())
    smallest = smallest == 0 ? device.memory_bytes : std::min(smallest, device.memory_bytes);
  return smallest;
}

std::string help_for(const std::vector<const KernelInfo*>& named, const po::options_description& all) {
  if (named.size() == 1) {
    return command_help(fmt::format("mpirun -np N sparkmpi {} [options]", named.front()->name),
                        named.front()->summary, all, named.front()->example);
  }
  return command_help("mpirun -np N sparkmpi [run] [KERNEL...] [options]",
                      "Runs kernels on every rank and writes one result file. Lists and ranges (512,2048 or "
                      "512-4096*2) make a cross\n"
                      "product of points. Without a kernel: the default suite.",
                      all, "mpirun -np 2 sparkmpi run stream inference -p 512,2048 -o run.h5");
}

void print_plan(const kernels::Plan& plan) {
  for (const kernels::PlannedPoint& planned : plan) {
    fmt::print("{:04} {}", planned.point.index, planned.point.kernel);
    for (const auto& [name, value] : planned.point.parameters) fmt::print(" {}={}", name, to_string(value));
    fmt::print("\n");
  }
}

/// "block=3": whole numbers are kept as numbers.
Attributes labels_of(const std::vector<std::string>& texts) {
  Attributes labels;
  for (const std::string& text : texts) {
    const std::size_t equals = text.find('=');
    const std::string name = text.substr(0, equals);
    // What the runner writes later.
    constexpr std::array<std::string_view, 5> kTaken = {"mpi_library", "ranks", "nodes", "points_planned",
                                                        "sample_rate_hz"};
    if (std::ranges::find(kTaken, name) != kTaken.end())
      throw UsageError(fmt::format("--label {}: every result has a fact of this name already", name));
    constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_0123456789";
    if (equals == std::string::npos || name.empty() || name.find_first_not_of(kLetters) != std::string::npos)
      throw UsageError(
          fmt::format("--label '{}': give NAME=VALUE with a name of small letters, digits and '_'", text));
    const std::string value = text.substr(equals + 1);
    std::int64_t number = 0;
    const auto [end, status] = std::from_chars(value.data(), value.data() + value.size(), number);
    const bool whole = status == std::errc{} && end == value.data() + value.size();
    if (!labels.emplace(name, whole ? Attribute(number) : Attribute(value)).second)
      throw UsageError(fmt::format("--label {}: is given twice", name));
  }
  return labels;
}

results::RunInfo run_info(int argc, char** argv, const Attributes& labels) {
  results::RunInfo info;
  info.facts = build_facts();
  std::string command;
  for (int i = 0; i < argc; ++i) command += fmt::format("{}{}", i == 0 ? "" : " ", argv[i]);
  info.facts["command_line"] = command;
  info.facts["start_time"] = fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", utc_now());
  for (const auto& [name, value] : labels) {
    if (!info.facts.emplace(name, value).second)
      throw UsageError(fmt::format("--label {}: every result has a fact of this name already", name));
  }
  return info;
}

int measure(mpi::World& world, const RunRequest& request, int argc, char** argv) {
  const mpi::RunOutcome outcome =
      mpi::run_plan(world, request.plan, request.options, run_info(argc, argv, request.labels));
  if (world.rank() == 0 && request.options.verbosity != mpi::Verbosity::quiet) {
    print_summary(stdout, results::read_result(request.options.output), {});
    std::fflush(stdout);
    fmt::print(stderr, "\nResult file: {}   (sparkmpi show {})\n", request.options.output.string(),
               request.options.output.string());
  }
  if (outcome.signal != 0) {
    if (world.rank() == 0) fmt::print(stderr, "sparkmpi: interrupted; what was measured is kept\n");
    return 128 + outcome.signal;
  }
  return outcome.points_failed > 0 ? 1 : 0;
}

}  // namespace

RunRequest parse_run(const std::vector<std::string>& arguments, std::uint64_t gpu_memory_bytes) {
  const std::vector<const KernelInfo*> named = leading_kernels(arguments);
  std::vector<const KernelInfo*> kernels = named;
  if (kernels.empty()) {
    for (const KernelInfo& kernel : kernels::registry()) kernels.push_back(&kernel);
  }
  const po::options_description of_run = run_options(), of_kernels = kernel_options(kernels);
  po::options_description all;
  all.add(of_kernels).add(of_run);
  RunRequest request;
  const ParsedOptions parsed = parse_options(arguments, all);
  if (parsed.values.count("help") != 0) {
    request.help = help_for(named, all);
    return request;
  }
  if (parsed.words.size() > named.size())
    throw UsageError(
        fmt::format("'{}' stands behind options; name kernels first", parsed.words[named.size()]));
  request.options = run_options_of(parsed.values);
  if (parsed.values.count("label") != 0)
    request.labels = labels_of(parsed.values["label"].as<std::vector<std::string>>());
  request.dry_run = parsed.values.count("dry-run") != 0;
  const TypedOptions typed = typed_of(parsed.values, of_kernels);
  for (const KernelInfo* kernel : named) add_points(*kernel, typed, request.plan);
  const bool host = request.options.binding.device == "host";
  if (named.empty()) add_suite(typed, host ? 0 : gpu_memory_bytes, request.plan);
  return request;
}

int run_command(int& argc, char**& argv, const std::vector<std::string>& arguments) {
  const bool suite = leading_kernels(arguments).empty();
  const std::uint64_t gpu_memory = suite ? smallest_gpu_memory() : 0;
  RunRequest request = parse_run(arguments, gpu_memory);
  if (!request.help.empty() || request.dry_run) {
    if (!speaks_for_all()) return 0;
    if (request.dry_run) {
      print_plan(request.plan);
    } else {
      fmt::print("{}", request.help);
    }
    return 0;
  }
  mpi::World world(argc, argv);
  try {
    // Nodes may differ; the plan must not.
    if (suite) request = parse_run(arguments, std::stoull(world.broadcast(std::to_string(gpu_memory))));
    return measure(world, request, argc, argv);
  } catch (const mpi::WatchdogExpired& error) {
    fmt::print(stderr, "sparkmpi: {}\n", error.what());
    world.abort(1);
  } catch (const UsageError& error) {
    if (world.rank() == 0) fmt::print(stderr, "sparkmpi: {}\n", error.what());
    return 2;
  } catch (const mpi::MpiError& error) {
    fmt::print(stderr, "sparkmpi: {}\n", error.what());
    world.abort(1);
  } catch (const Error& error) {
    if (world.rank() == 0) fmt::print(stderr, "sparkmpi: {}\n", error.what());
    return 1;
  }
}

}  // namespace sparkmpi::cli
