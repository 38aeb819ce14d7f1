#pragma once
// Boost.Program_options with this program's manners: one clear line for a mistake, near names suggested, no
// guessing.

#include <boost/program_options.hpp>
#include <string>
#include <vector>

namespace sparkmpi::cli {

struct ParsedOptions {
  boost::program_options::variables_map values;
  std::vector<std::string> words;  ///< arguments that belong to no option
};

/// Throws UsageError.
ParsedOptions parse_options(const std::vector<std::string>& arguments,
                            const boost::program_options::options_description& known);

}  // namespace sparkmpi::cli
