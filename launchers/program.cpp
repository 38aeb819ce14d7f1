#include "launchers/program.hpp"

#include <filesystem>

#include "base/error.hpp"

namespace sparkmpi::launchers {

std::string program_path() {
  std::error_code failed;
  const auto path = std::filesystem::read_symlink("/proc/self/exe", failed);
  if (failed) throw Error("/proc/self/exe can't be read; is /proc mounted?");
  return path.string();
}

}  // namespace sparkmpi::launchers
