#include "launchers/study/plan_lines.hpp"

#include <fmt/format.h>

#include <boost/program_options.hpp>
#include <map>
#include <sstream>

#include "base/error.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace po = boost::program_options;

std::string trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(" \t\r"), last = text.find_last_not_of(" \t\r");
  return first == std::string_view::npos ? std::string() : std::string(text.substr(first, last - first + 1));
}

/// Option "section.key" → the lines on which it stands, in order. The library forgets them.
class LineNumbers {
 public:
  explicit LineNumbers(const std::string& text) {
    std::istringstream in(text);
    std::string line, section;
    for (int number = 1; std::getline(in, line); ++number) {
      const std::string bare = trimmed(std::string_view(line).substr(0, line.find('#')));
      if (bare.size() > 2 && bare.front() == '[' && bare.back() == ']')
        section = bare.substr(1, bare.size() - 2) + ".";
      else if (const auto equals = bare.find('='); equals != std::string::npos)
        lines_[section + trimmed(std::string_view(bare).substr(0, equals))].push_back(number);
      else if (!bare.empty() && wrong_ == 0)
        wrong_ = number;
    }
  }
  int take(const std::string& option) {
    std::vector<int>& numbers = lines_[option];
    const int number = numbers.empty() ? 0 : numbers.front();
    if (!numbers.empty()) numbers.erase(numbers.begin());
    return number;
  }
  /// The first line that is neither section, option nor comment; 0: none.
  int wrong() const { return wrong_; }

 private:
  std::map<std::string, std::vector<int>> lines_;
  int wrong_ = 0;
};

}  // namespace

std::vector<PlanLine> plan_lines(const std::string& text, std::string_view file) {
  LineNumbers numbers(text);
  std::vector<PlanLine> lines;
  try {
    std::istringstream in(text);
    const po::options_description none;
    for (const auto& option : po::parse_config_file(in, none, true).options) {
      PlanLine line;
      const std::size_t dot = option.string_key.find('.');
      if (dot != std::string::npos) line.section = option.string_key.substr(0, dot);
      line.key = option.string_key.substr(dot == std::string::npos ? 0 : dot + 1);
      line.value = option.value.empty() ? "" : option.value.front();
      line.number = numbers.take(option.string_key);
      lines.push_back(std::move(line));
    }
  } catch (const po::error&) {
    throw UsageError(
        fmt::format("{} line {}: neither '[section]' nor 'name = value'", file, numbers.wrong()));
  }
  return lines;
}

}  // namespace sparkmpi::launchers::study
