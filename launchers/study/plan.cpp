#include "launchers/study/plan.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <functional>
#include <map>
#include <set>
#include <sstream>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/near_match.hpp"
#include "base/shell_words.hpp"
#include "base/value_list.hpp"
#include "launchers/study/plan_lines.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace fs = std::filesystem;
using Setter = std::function<void(StudyPlan&, const std::string&)>;

template <class Number>
Number number_of(const std::string& text, Number smallest, Number largest) {
  Number value{};
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || !(value >= smallest && value <= largest))
    throw UsageError(fmt::format("'{}' is no number from {} to {}", text, smallest, largest));
  return value;
}

double seconds_of(const std::string& text) {
  return number_of<double>(text, 0, 1e7);
}

bool flag_of(const std::string& text) {
  if (text == "yes") return true;
  if (text == "no") return false;
  throw UsageError(fmt::format("'{}' is neither yes nor no", text));
}

/// "1,2,4,8" or "1-8*2"
std::vector<int> ranks_of(const std::string& text) {
  std::vector<int> ranks;
  for (const std::int64_t value : parse_integer_list(text, "ranks")) {
    if (value < 1 || value > 1000000)
      throw UsageError(fmt::format("'{}' is no number from 1 to 1000000", value));
    if (std::ranges::find(ranks, value) != ranks.end())
      throw UsageError(fmt::format("{} is there twice", value));
    ranks.push_back(static_cast<int>(value));
  }
  return ranks;
}

/// "40G each", "144G together"
GpuMemoryNeed gpu_memory_of(const std::string& text) {
  const std::vector<std::string> words = shell_words(text);
  if (words.size() != 2 || (words[1] != "each" && words[1] != "together"))
    throw UsageError(
        fmt::format("'{}' is no GPU memory such as '40G each' (on every rank's GPU) or '144G "
                    "together' (on all GPUs of the trial)",
                    text));
  return {parse_bytes(words[0], "gpu-memory"), words[1] == "each"};
}

template <class Choice>
Choice choice_of(const std::string& text, const std::map<std::string_view, Choice>& choices) {
  const auto found = choices.find(text);
  if (found != choices.end()) return found->second;
  std::string names;
  for (const auto& [name, value] : choices) names += fmt::format("{}{}", names.empty() ? "" : ", ", name);
  throw UsageError(fmt::format("'{}' is none of {}", text, names));
}

/// "section.key" → what it sets.
const std::map<std::string, Setter, std::less<>>& setters() {
  using Plan = StudyPlan;
  using Text = const std::string&;
  static const std::map<std::string, Setter, std::less<>> all = {
      {"study.name", [](Plan& plan, Text text) { plan.name = text; }},
      {"study.design",
       [](Plan& plan, Text text) {
         plan.design = choice_of<Design>(text, {{"blocks", Design::blocks}, {"williams", Design::williams}});
       }},
      {"study.repetitions", [](Plan& plan, Text text) { plan.repetitions = number_of(text, 1, 10000); }},
      {"study.seed",
       [](Plan& plan, Text text) { plan.seed = number_of<std::uint64_t>(text, 0, UINT64_MAX); }},
      {"study.ranks", [](Plan& plan, Text text) { plan.ranks = ranks_of(text); }},
      {"study.ranks-at-most",
       [](Plan& plan, Text text) {
         plan.at_most_gpus = choice_of<bool>(text, {{"any", false}, {"gpus", true}});
       }},
      {"study.launcher",
       [](Plan& plan, Text text) {
         plan.launcher = choice_of<Launcher>(text, {{"mpirun", Launcher::mpirun}, {"srun", Launcher::srun}});
       }},
      {"study.launcher-option",
       [](Plan& plan, Text text) {
         for (const std::string& word : shell_words(text)) plan.launcher_options.push_back(word);
       }},
      {"study.hostfile", [](Plan& plan, Text text) { plan.hostfile = fs::absolute(text); }},
      {"study.show", [](Plan& plan, Text text) { plan.visible.push_back(fs::absolute(text)); }},
      {"study.gpu", [](Plan& plan, Text text) { plan.gpu = flag_of(text); }},
      {"study.oversubscribe", [](Plan& plan, Text text) { plan.oversubscribe = flag_of(text); }},
      {"study.timeout", [](Plan& plan, Text text) { plan.timeout_s = seconds_of(text); }},
      {"cooldown.gpu-temperature",
       [](Plan& plan, Text text) { plan.cooldown.gpu_temperature_c = number_of<double>(text, 1, 200); }},
      {"cooldown.memory-available",
       [](Plan& plan, Text text) { plan.cooldown.memory_available = parse_bytes(text, "memory-available"); }},
      {"cooldown.page-cache-below",
       [](Plan& plan, Text text) { plan.cooldown.page_cache_below = parse_bytes(text, "page-cache-below"); }},
      {"cooldown.timeout", [](Plan& plan, Text text) { plan.cooldown.timeout_s = seconds_of(text); }},
      {"cache.state",
       [](Plan& plan, Text text) {
         plan.cache = choice_of<CacheState>(
             text, {{"keep", CacheState::keep}, {"cold", CacheState::cold}, {"warm", CacheState::warm}});
       }},
      {"cache.files",
       [](Plan& plan, Text text) {
         for (const std::string& word : shell_words(text)) plan.cached_files.push_back(fs::absolute(word));
       }},
      {"margins.relative",
       [](Plan& plan, Text text) {
         if (!text.ends_with('%')) throw UsageError(fmt::format("'{}' is no percentage such as 1%", text));
         plan.margin_percent = number_of<double>(text.substr(0, text.size() - 1), 1e-6, 1000);
       }},
      {"margins.memory",
       [](Plan& plan, Text text) {
         parse_bytes(text, "memory");
         plan.memory_margin = text;
       }},
  };
  return all;
}

void add_environment(StudyPlan& plan, const std::string& name, const std::string& value) {
  const std::vector<std::string> words = shell_words(value);
  if (words.empty()) throw UsageError("name an environment, then its options: chroot rootfs=@rootfs");
  PlannedEnvironment planned{name, &find_environment(words.front()), {}, LaunchModel::hybrid, ""};
  Enclosure tried;
  for (auto word = words.begin() + 1; word != words.end(); ++word) {
    if (word->starts_with("model=")) {
      planned.model = choice_of<LaunchModel>(
          word->substr(6), {{"hybrid", LaunchModel::hybrid}, {"inside", LaunchModel::inside}});
    } else if (word->starts_with("program=")) {
      planned.program = word->substr(8);
    } else {
      set_option(tried, *planned.environment, *word);
      planned.options.push_back(*word);
    }
  }
  plan.environments.push_back(std::move(planned));
}

PlannedPoint& point_of(StudyPlan& plan, const std::string& name) {
  const auto found = std::ranges::find(plan.points, name, &PlannedPoint::name);
  if (found != plan.points.end()) return *found;
  std::vector<std::string_view> names;
  for (const PlannedPoint& point : plan.points) names.push_back(point.name);
  throw UsageError(fmt::format("there is no point of that name above{}", did_you_mean(name, names)));
}

/// Names become parts of file names and facts.
void check_name(const std::string& name) {
  constexpr std::string_view kPlain = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
  if (name.empty() || name.front() == '.' || name.find_first_not_of(kPlain) != std::string::npos)
    throw UsageError(fmt::format("the name '{}' may have letters, digits, '-', '_' and '.' only", name));
}

void apply(StudyPlan& plan, const PlanLine& line, std::set<std::string>& seen) {
  constexpr std::array<std::string_view, 3> kRepeated = {"study.launcher-option", "study.show",
                                                         "cache.files"};
  const std::string option = line.section + "." + line.key;
  if (!seen.insert(option).second && std::ranges::find(kRepeated, option) == kRepeated.end())
    throw UsageError("is given twice");
  if (line.section == "environments" || line.section == "points" || line.section == "parameters") {
    check_name(line.key);
    if (line.section == "environments") return add_environment(plan, line.key, line.value);
    std::vector<std::string> words = shell_words(line.value);
    if (words.empty()) throw UsageError("has no value");
    if (line.section == "points") {
      plan.points.push_back({line.key, std::move(words), {}, {}});
    } else {
      if (line.key == "ranks")
        throw UsageError("the numbers of ranks are no parameter; they stand in [study] ranks");
      plan.parameters.emplace_back(line.key, std::move(words));
    }
    return;
  }
  if (line.section == "ranks") {
    point_of(plan, line.key).ranks = ranks_of(line.value);
    return;
  }
  if (line.section == "gpu-memory") {
    point_of(plan, line.key).gpu_memory = gpu_memory_of(line.value);
    return;
  }
  if (line.section == "variables") {
    check_name(line.key);
    plan.variables.emplace_back(line.key, line.value);
    return;
  }
  const auto setter = setters().find(option);
  if (setter == setters().end()) {
    std::vector<std::string_view> known;
    for (const auto& [name, set] : setters()) known.push_back(name);
    throw UsageError(fmt::format("there is no option '{}' in a plan{}", option, did_you_mean(option, known)));
  }
  setter->second(plan, line.value);
}

void require_complete(const StudyPlan& plan) {
  const auto require = [&](bool there, std::string_view what) {
    if (!there) throw UsageError(fmt::format("{}: {}", plan.file.string(), what));
  };
  require(!plan.environments.empty(), "there is no environment; the section [environments] names them");
  require(!plan.points.empty(), "there is nothing to run; the section [points] says what");
  require(plan.cache != CacheState::warm || !plan.cached_files.empty(),
          "[cache] state = warm needs files = PATH");
}

}  // namespace

StudyPlan parse_plan(const std::string& text, const std::filesystem::path& file) {
  StudyPlan plan;
  plan.file = file;
  plan.name = file.stem().string();
  std::set<std::string> seen;
  for (const PlanLine& line : plan_lines(text, file.string())) {
    try {
      apply(plan, line, seen);
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{} line {}: {}: {}", file.string(), line.number, line.key, error.what()));
    }
  }
  check_name(plan.name);
  require_complete(plan);
  for (PlannedPoint& point : plan.points) {
    if (point.ranks.empty()) point.ranks = plan.ranks;
    plan.several_ranks =
        plan.several_ranks || point.ranks != plan.points.front().ranks || point.ranks.size() > 1;
  }
  return plan;
}

StudyPlan read_plan(const std::filesystem::path& file) {
  std::ifstream in(file);
  std::ostringstream text;
  text << in.rdbuf();
  if (!in) throw UsageError(fmt::format("the plan {} can't be read", file.string()));
  return parse_plan(text.str(), file);
}

}  // namespace sparkmpi::launchers::study
