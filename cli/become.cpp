#include "cli/become.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace sparkmpi::cli {

std::vector<std::string>::const_iterator dashes_in(const std::vector<std::string>& arguments) {
  return std::ranges::find(arguments, "--");
}

void become(const std::vector<std::string>& argv) {
  std::vector<char*> words;
  for (const std::string& word : argv) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  execvp(words.front(), words.data());
  throw Error(fmt::format("{} can't be started: {}", argv.front(), std::strerror(errno)));
}

}  // namespace sparkmpi::cli
