#pragma once
// What the program says about itself.

#include <boost/program_options.hpp>
#include <string>
#include <string_view>

namespace sparkmpi::cli {

/// `sparkmpi --help`.
std::string general_help();
/// A sub-command's usage, its options in at most 80 columns where words allow, and an example.
std::string command_help(std::string_view usage, std::string_view summary,
                         const boost::program_options::options_description& options,
                         std::string_view example);

}  // namespace sparkmpi::cli
