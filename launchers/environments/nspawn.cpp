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
  Argv argv = {"systemd-nspawn",
               "--quiet",
               "--register=no",
               "--keep-unit",
               "--as-pid2",
               fmt::format("--machine={}", enclosure.name),
               fmt::format("--directory={}", enclosure.value("rootfs", "nspawn"))};
  if (enclosure.has("private-network")) argv.emplace_back("--private-network");
  // A backslash protects a colon in nspawn's binds.
  const auto escaped = [](const std::string& path) {
    std::string text;
    for (const char c : path) text += c == ':' || c == '\\' ? std::string{'\\', c} : std::string(1, c);
    return text;
  };
  argv.emplace_back("--bind=/tmp");
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
  return {"nspawn", "systemd-nspawn in a root directory", "systemd-nspawn", kOptions, enclose};
}

}  // namespace sparkmpi::launchers
