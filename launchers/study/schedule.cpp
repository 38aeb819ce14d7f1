#include "launchers/study/schedule.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <set>

#include "base/command.hpp"
#include "base/error.hpp"
#include "launchers/study/design.hpp"

namespace sparkmpi::launchers::study {
namespace {

constexpr std::string_view kNameLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_";

/// The names behind "@" in a text.
std::set<std::string> names_in(const std::string& text) {
  std::set<std::string> names;
  for (std::size_t at = text.find('@'); at != std::string::npos; at = text.find('@', at)) {
    const std::size_t end = std::min(text.find_first_not_of(kNameLetters, at + 1), text.size());
    if (end > at + 1) names.insert(text.substr(at + 1, end - at - 1));
    at = end == at + 1 && end < text.size() ? end + 1 : end;
  }
  return names;
}

/// A point with its parameters put in.
struct Concrete {
  std::string title;
  int ranks;
  Argv words;
};

std::vector<Concrete> expand(const StudyPlan& plan, const PlannedPoint& point, const Places& places) {
  std::set<std::string> mentioned;
  for (const std::string& word : point.words) mentioned.merge(names_in(word));
  struct Choice {
    std::string title;
    int ranks;
    Places places;
  };
  std::vector<Choice> choices;
  for (const int ranks : point.ranks) {
    choices.push_back(
        {plan.several_ranks ? fmt::format("{} ranks={}", point.name, ranks) : point.name, ranks, places});
    choices.back().places["ranks"] = std::to_string(ranks);
  }
  for (const auto& [name, values] : plan.parameters) {
    if (!mentioned.contains(name)) continue;
    std::vector<Choice> more;
    for (const Choice& choice : choices) {
      for (const std::string& value : values) {
        Choice next{fmt::format("{} {}={}", choice.title, name, value), choice.ranks, choice.places};
        next.places[name] = filled_in(value, places);
        more.push_back(std::move(next));
      }
    }
    choices = std::move(more);
  }
  std::vector<Concrete> all;
  for (const Choice& choice : choices) {
    Concrete concrete{choice.title, choice.ranks, {}};
    for (const std::string& word : point.words) concrete.words.push_back(filled_in(word, choice.places));
    all.push_back(std::move(concrete));
  }
  return all;
}

std::string file_name(std::string text) {
  for (char& c : text)
    if (kNameLetters.find(c) == std::string_view::npos && c != '.' && c != '=') c = '-';
  constexpr std::size_t kLongest = 80;
  return text.substr(0, kLongest);
}

std::string csv_cell(const std::string& text) {
  if (text.find_first_of(",\"\n") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

/// (environment, point) in the order of each block.
using Treatment = std::pair<std::size_t, std::size_t>;

std::vector<std::vector<Treatment>> complete_blocks(const StudyPlan& plan, std::size_t points,
                                                    Random& random) {
  std::vector<std::vector<Treatment>> blocks;
  for (int block = 0; block < plan.repetitions; ++block) {
    Order order = in_turn(plan.environments.size() * points);
    random.shuffle(order);
    std::vector<Treatment> treatments;
    for (const std::size_t cell : order) treatments.emplace_back(cell / points, cell % points);
    blocks.push_back(std::move(treatments));
  }
  return blocks;
}

std::vector<std::vector<Treatment>> williams_blocks(const StudyPlan& plan, std::size_t points,
                                                    Random& random) {
  const std::vector<Order> sequences = williams_sequences(plan.environments.size());
  // Which environment is which treatment, and which sequence comes first, are drawn once a point.
  std::vector<Order> names(points), rows(points);
  for (std::size_t point = 0; point < points; ++point) {
    names[point] = in_turn(plan.environments.size());
    random.shuffle(names[point]);
    rows[point] = in_turn(sequences.size());
    random.shuffle(rows[point]);
  }
  std::vector<std::vector<Treatment>> blocks;
  for (int block = 0; block < plan.repetitions; ++block) {
    Order order = in_turn(points);
    random.shuffle(order);
    std::vector<Treatment> treatments;
    for (const std::size_t point : order) {
      const auto row = rows[point][static_cast<std::size_t>(block) % sequences.size()];
      for (const std::size_t treatment : sequences[row])
        treatments.emplace_back(names[point][treatment], point);
    }
    blocks.push_back(std::move(treatments));
  }
  return blocks;
}

}  // namespace

std::string filled_in(const std::string& text, const Places& places) {
  std::string filled;
  for (std::size_t i = 0; i < text.size();) {
    if (text[i] != '@') {
      filled += text[i++];
      continue;
    }
    if (i + 1 < text.size() && text[i + 1] == '@') {
      filled += '@';
      i += 2;
      continue;
    }
    const std::size_t end = std::min(text.find_first_not_of(kNameLetters, i + 1), text.size());
    const std::string name = text.substr(i + 1, end - i - 1);
    const auto found = places.find(name);
    if (found == places.end())
      throw UsageError(
          fmt::format("'@{}' in '{}' stands for nothing: it is no parameter, nor @ranks, @plan or @rootfs; "
                      "write @@ for an @",
                      name, text));
    filled += found->second;
    i = end;
  }
  return filled;
}

std::vector<Trial> make_schedule(const StudyPlan& plan, const Places& places) {
  std::set<std::string> mentioned;
  std::vector<Concrete> points;
  for (const PlannedPoint& point : plan.points) {
    for (const std::string& word : point.words) mentioned.merge(names_in(word));
    for (Concrete& concrete : expand(plan, point, places)) points.push_back(std::move(concrete));
  }
  for (const auto& [name, values] : plan.parameters) {
    if (!mentioned.contains(name))
      throw UsageError(
          fmt::format("{}: no point mentions the parameter {}; write @{} where its value belongs",
                      plan.file.string(), name, name));
  }
  Random random(plan.seed);
  const auto blocks = plan.design == Design::williams ? williams_blocks(plan, points.size(), random)
                                                      : complete_blocks(plan, points.size(), random);
  std::vector<Trial> trials;
  for (std::size_t block = 0; block < blocks.size(); ++block) {
    for (const auto& [environment, point] : blocks[block]) {
      Trial trial;
      trial.order = static_cast<int>(trials.size()) + 1;
      trial.block = static_cast<int>(block) + 1;
      trial.environment = environment;
      trial.point = points[point].title;
      trial.ranks = points[point].ranks;
      trial.words = points[point].words;
      trial.name = file_name(fmt::format("{:04}-b{}-{}-{}", trial.order, trial.block,
                                         plan.environments[environment].name, trial.point));
      trials.push_back(std::move(trial));
    }
  }
  return trials;
}

std::string schedule_text(const StudyPlan& plan, const std::vector<Trial>& trials) {
  std::string text = "order,block,trial,environment,previous,point,arguments\n";
  std::string previous = "none";
  for (const Trial& trial : trials) {
    const std::string& name = plan.environments[trial.environment].name;
    text += fmt::format("{},{},{},{},{},{},{}\n", trial.order, trial.block, trial.name, name, previous,
                        csv_cell(trial.point), csv_cell(shell_text(trial.words)));
    previous = name;
  }
  return text;
}

std::vector<std::string> design_notes(const StudyPlan& plan) {
  std::vector<std::string> notes;
  if (plan.design == Design::williams) {
    const std::size_t sequences = williams_sequences(plan.environments.size()).size();
    if (static_cast<std::size_t>(plan.repetitions) % sequences != 0)
      notes.push_back(
          fmt::format("a Williams design of {} environments is balanced after {} blocks or a multiple of "
                      "that; this plan has "
                      "{}",
                      plan.environments.size(), sequences, plan.repetitions));
  }
  if (plan.environments.size() > 1 && plan.repetitions < 5)
    notes.push_back(
        fmt::format("{} blocks: an exact test of two environments in blocks can't go below p = {:.3g}",
                    plan.repetitions, std::ldexp(2.0, -plan.repetitions)));
  return notes;
}

}  // namespace sparkmpi::launchers::study
