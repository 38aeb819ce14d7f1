// Trials that are missing, failed, repeated, or not there in equal numbers.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <set>

#include "analysis/audit/check.hpp"

namespace sparkmpi::analysis::checks {
namespace {

/// A launch that counts its own trials.
std::optional<int> trial_number(const Launch& launch) {
  int number = 0;
  const auto [end, status] =
      std::from_chars(launch.trial.data(), launch.trial.data() + launch.trial.size(), number);
  if (launch.trial.empty() || status != std::errc{} || end != launch.trial.data() + launch.trial.size())
    return std::nullopt;
  return number;
}

struct Group {
  std::map<int, std::size_t> numbers;
  std::size_t launches = 0;
};
/// By study and models, then environment.
using Groups = std::map<std::string, std::map<std::string, Group>>;

Groups groups_of(const Table& table) {
  std::map<std::uint32_t, std::set<std::string>> models;
  for (const Point& point : table.points()) models[point.launch].insert(point.model);
  Groups groups;
  for (std::uint32_t i = 0; i < table.launches().size(); ++i) {
    const Launch& launch = table.launches()[i];
    Group& group =
        groups[launch.study + '\x1f' + fmt::format("{}", fmt::join(models[i], "+"))][launch.environment];
    ++group.launches;
    if (const auto number = trial_number(launch)) ++group.numbers[*number];
  }
  return groups;
}

std::string name_of(const std::string& key) {
  const std::size_t split = key.find('\x1f');
  const std::string model = key.substr(split + 1);
  return model.empty() ? key.substr(0, split) : model;
}

void find_gaps_and_repeats(const Groups& groups, std::string& gaps, std::string& repeats) {
  for (const auto& [key, environments] : groups) {
    for (const auto& [environment, group] : environments) {
      if (group.numbers.empty()) continue;
      const std::string where = fmt::format("{} {}", name_of(key), environment);
      std::vector<int> missing;
      for (int i = group.numbers.begin()->first; i <= group.numbers.rbegin()->first && missing.size() < 9;
           ++i) {
        if (!group.numbers.contains(i)) missing.push_back(i);
      }
      if (!missing.empty())
        gaps += fmt::format("{}{}: trials {}", gaps.empty() ? "" : "; ", where, fmt::join(missing, ", "));
      for (const auto& [number, count] : group.numbers) {
        if (count > 1)
          repeats += fmt::format("{}{}: trial {} is there {} times", repeats.empty() ? "" : "; ", where,
                                 number, count);
      }
    }
  }
}

/// Studies number their trials through all environments: then a gap is another environment's trial.
bool numbered_by_environment(const Groups& groups) {
  for (const auto& [key, environments] : groups) {
    std::set<int> seen;
    for (const auto& [environment, group] : environments) {
      for (const auto& [number, count] : group.numbers) {
        if (!seen.insert(number).second) return true;
      }
    }
  }
  return false;
}

std::string unequal(const Groups& groups) {
  std::string text;
  for (const auto& [key, environments] : groups) {
    std::size_t fewest = SIZE_MAX, most = 0;
    std::string counts;
    for (const auto& [environment, group] : environments) {
      fewest = std::min(fewest, group.launches);
      most = std::max(most, group.launches);
      counts += fmt::format("{}{} {}", counts.empty() ? "" : ", ", group.launches, environment);
    }
    if (environments.size() > 1 && fewest != most)
      text += fmt::format("{}{}: {}", text.empty() ? "" : "; ", name_of(key), counts);
  }
  return text;
}

void add(Output& output, std::string what, std::string evidence, std::string advice) {
  Finding finding;
  finding.what = std::move(what);
  finding.evidence = std::move(evidence) + ".";
  finding.sure = "certain: it is counted";
  finding.advice = std::move(advice);
  output.certain.push_back(std::move(finding));
}

std::string failures(const Table& table) {
  std::string text;
  std::size_t failed = 0;
  for (const Point& point : table.points()) {
    if (point.complete || ++failed > 3) continue;
    text +=
        fmt::format("{}{} of {}: {}", text.empty() ? "" : "; ", point.kernel,
                    table.launches()[point.launch].file, point.error.empty() ? "incomplete" : point.error);
  }
  return failed > 3 ? fmt::format("{}; and {} more", text, failed - 3) : text;
}

std::string unfinished(const Table& table) {
  std::vector<std::int64_t> points(table.launches().size());
  for (const Point& point : table.points()) ++points[point.launch];
  std::string text;
  for (std::size_t i = 0; i < points.size(); ++i) {
    const Launch& launch = table.launches()[i];
    if (launch.points_planned > points[i])
      text += fmt::format("{}{}: {} of {} points", text.empty() ? "" : "; ", launch.file, points[i],
                          launch.points_planned);
  }
  return text;
}

Output run(const Input& input) {
  Output output;
  const Groups groups = groups_of(input.table);
  if (std::string text = failures(input.table); !text.empty())
    add(output, "Some points did not complete.", std::move(text),
        "Find the cause; comparisons leave these points out.");
  if (std::string text = unfinished(input.table); !text.empty())
    add(output, "Some launches ended before all of their points.", std::move(text),
        "Run the missing points, or say that they are missing.");
  if (numbered_by_environment(groups)) {
    std::string gaps, repeats;
    find_gaps_and_repeats(groups, gaps, repeats);
    if (!gaps.empty())
      add(output, "Trials are missing.", std::move(gaps),
          "Say why they are not there: trials dropped for their result bias what is left.");
    if (!repeats.empty())
      add(output, "Trials are there more than once.", std::move(repeats),
          "Say which of them count and why; attempts kept beside the planned trials change the average.");
  }
  if (std::string text = unequal(groups); !text.empty())
    add(output, "Environments have different numbers of launches.", std::move(text),
        "Complete the blocks, or say which launches were added or dropped.");
  return output;
}

}  // namespace

const Check kMissing = {"missing", "is every planned trial there, once?", run};

}  // namespace sparkmpi::analysis::checks
