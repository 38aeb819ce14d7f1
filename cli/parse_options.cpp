#include "cli/parse_options.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/near_match.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

std::string suggestion(const std::string& typed, const po::options_description& known) {
  std::vector<std::string> names;
  for (const auto& option : known.options()) {
    if (!option->long_name().empty()) names.push_back("--" + option->long_name());
  }
  const std::vector<std::string_view> views(names.begin(), names.end());
  return did_you_mean(typed, views);
}

}  // namespace

ParsedOptions parse_options(const std::vector<std::string>& arguments, const po::options_description& known) {
  ParsedOptions parsed;
  try {
    po::options_description all;
    all.add(known);
    all.add_options()("words", po::value(&parsed.words));
    po::positional_options_description positional;
    positional.add("words", -1);
    using namespace po::command_line_style;
    const auto style = static_cast<style_t>(unix_style & ~allow_guessing);
    po::store(po::command_line_parser(arguments).options(all).positional(positional).style(style).run(),
              parsed.values);
    po::notify(parsed.values);
  } catch (const po::unknown_option& error) {
    throw UsageError(fmt::format("there is no option '{}' here{}; --help lists them", error.get_option_name(),
                                 suggestion(error.get_option_name(), known)));
  } catch (const po::multiple_occurrences& error) {
    throw UsageError(fmt::format("{} is given more than once", error.get_option_name()));
  } catch (const po::error& error) {
    throw UsageError(error.what());
  }
  return parsed;
}

}  // namespace sparkmpi::cli
