#include "cli/become.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi::cli {

std::vector<std::string>::const_iterator dashes_in(const std::vector<std::string>& arguments) {
  return std::ranges::find(arguments, "--");
}

void become(const std::vector<std::string>& argv) {
  const std::vector<char*> words = exec_words(argv);
  execvp(words.front(), words.data());
  throw Error(fmt::format("{} can't be started: {}", argv.front(), std::strerror(errno)));
}

}  // namespace sparkmpi::cli
