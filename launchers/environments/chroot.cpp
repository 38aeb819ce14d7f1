// Another root directory in a private mount namespace, by `sparkmpi rootfs enter`.

#include <array>

#include "launchers/environments/all.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::launchers {
namespace {

constexpr std::array<EnvironmentOption, 1> kOptions = {
    {{"rootfs", "root directory made by `sparkmpi rootfs create`: rootfs=./root"}}};

Argv enclose(const Enclosure& enclosure, const Argv& inner) {
  Argv argv = {program_path(), "rootfs", "enter", enclosure.value("rootfs", "chroot")};
  if (!enclosure.gpu) argv.emplace_back("--no-gpu");
  argv.insert(argv.end(), {"--bind", enclosure.directory.string()});
  for (const std::filesystem::path& path : enclosure.visible)
    argv.insert(argv.end(), {"--bind", path.string()});
  argv.emplace_back("--");
  argv.insert(argv.end(), inner.begin(), inner.end());
  return argv;
}

}  // namespace

EnvironmentInfo chroot() {
  return {"chroot", "another root directory, the host's devices and driver", "", kOptions, enclose};
}

}  // namespace sparkmpi::launchers
