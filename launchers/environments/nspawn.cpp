// systemd-nspawn without its registration: works where no systemd runs.

#include <fmt/format.h>

#include <array>

#include "launchers/environments/all.hpp"

namespace sparkmpi::launchers {
namespace {

constexpr std::array<EnvironmentOption, 2> kOptions = {{
    {"rootfs", "root directory: rootfs=./root"},
    {"private-network", "a network namespace of its own", true},
}};

Argv enclose(const Enclosure& enclosure, const Argv& inner) {
  // Ranks tell one another by their process numbers and share memory in /dev/shm: namespaces of their own
  // for either make Open MPI's shared memory transport crash. Without the lock several ranks may use one
  // root.
  Argv argv = {"env",
               "SYSTEMD_NSPAWN_LOCK=0",
               "SYSTEMD_NSPAWN_SHARE_NS_PID=1",
               "SYSTEMD_NSPAWN_SHARE_NS_IPC=1",
               "systemd-nspawn",
               "--quiet",
               "--register=no",
               "--keep-unit",
               fmt::format("--machine={}", enclosure.name),
               fmt::format("--directory={}", enclosure.value("rootfs", "nspawn"))};
  if (enclosure.has("private-network")) argv.emplace_back("--private-network");
  // A backslash protects a colon in nspawn's binds.
  const auto escaped = [](const std::string& path) {
    std::string text;
    for (const char c : path) text += c == ':' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    return text;
  };
  argv.insert(argv.end(), {"--bind=/tmp", "--bind=/dev/shm"});
  argv.push_back(fmt::format("--bind={}", escaped(enclosure.directory.string())));
  for (const std::filesystem::path& path : enclosure.visible)
    argv.push_back(fmt::format("--bind={}", escaped(path.string())));
  for (const std::string& variable : enclosure.variables) {
    if (const char* const value = std::getenv(variable.c_str()))
      argv.push_back(fmt::format("--setenv={}={}", variable, value));
  }
  argv.insert(argv.end(), {fmt::format("--chdir={}", enclosure.directory.string()), "--"});
  argv.insert(argv.end(), inner.begin(), inner.end());
  return argv;
}

}  // namespace

EnvironmentInfo nspawn() {
  return {"nspawn", "systemd-nspawn in a root directory", "systemd-nspawn", kOptions, enclose, true};
}

}  // namespace sparkmpi::launchers
