// An OCI runtime by itself: a container where no docker or podman is, by `sparkmpi rootfs run`.

#include <array>

#include "launchers/environments/all.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::launchers {
namespace {

constexpr std::array<EnvironmentOption, 4> kOptions = {{
    {"rootfs", "root directory made by `sparkmpi rootfs create`: rootfs=./root"},
    {"memory", "memory limit: memory=96g"},
    {"cgroup-parent", "group under which the container's is made: cgroup-parent=/bench"},
    {"runtime", "another OCI runtime: runtime=crun"},
}};

Argv enclose(const Enclosure& enclosure, const Argv& inner) {
  Argv argv = {program_path(), "rootfs", "run", enclosure.value("rootfs", "runc"), "--name", enclosure.name};
  for (const char* const option : {"memory", "cgroup-parent", "runtime"})
    if (enclosure.has(option))
      argv.insert(argv.end(), {std::string("--") + option, enclosure.value(option, "runc")});
  if (!enclosure.gpu) argv.emplace_back("--no-gpu");
  argv.insert(argv.end(), {"--bind", enclosure.directory.string()});
  for (const std::filesystem::path& path : enclosure.visible)
    argv.insert(argv.end(), {"--bind", path.string()});
  for (const std::string& variable : enclosure.variables) argv.insert(argv.end(), {"--env", variable});
  argv.emplace_back("--");
  argv.insert(argv.end(), inner.begin(), inner.end());
  return argv;
}

}  // namespace

EnvironmentInfo runc() {
  return {"runc", "an OCI container of a directory, without a container manager", "runc", kOptions, enclose,
          true};
}

}  // namespace sparkmpi::launchers
