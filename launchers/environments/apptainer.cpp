// Apptainer (once Singularity): an image file or a directory; the host's variables, home and /tmp come along
// by themselves.

#include <fmt/format.h>

#include <array>

#include "launchers/environments/all.hpp"

namespace sparkmpi::launchers {
namespace {

constexpr std::array<EnvironmentOption, 4> kOptions = {{
    {"image", "image file or directory: image=bench.sif"},
    {"memory", "memory limit (needs cgroup v2 delegation): memory=96g"},
    {"cpuset", "cores: cpuset=0-15"},
    {"contain", "without the host's /home, /tmp and variables", true},
}};

Argv enclose(const Enclosure& enclosure, const Argv& inner) {
  Argv argv = {"apptainer", "exec"};
  if (enclosure.gpu) argv.emplace_back("--nv");
  if (enclosure.has("contain")) {
    argv.emplace_back("--containall");
    for (const std::string& variable : enclosure.variables)
      if (const char* const value = std::getenv(variable.c_str()))
        argv.insert(argv.end(), {"--env", fmt::format("{}={}", variable, value)});
    argv.insert(argv.end(), {"--bind", "/tmp"});
  }
  if (enclosure.has("memory")) argv.insert(argv.end(), {"--memory", enclosure.value("memory", "apptainer")});
  if (enclosure.has("cpuset"))
    argv.insert(argv.end(), {"--cpuset-cpus", enclosure.value("cpuset", "apptainer")});
  argv.insert(argv.end(), {"--bind", enclosure.directory.string()});
  for (const std::filesystem::path& path : enclosure.visible)
    argv.insert(argv.end(), {"--bind", path.string()});
  argv.insert(argv.end(), {"--pwd", enclosure.directory.string(), enclosure.value("image", "apptainer")});
  argv.insert(argv.end(), inner.begin(), inner.end());
  return argv;
}

}  // namespace

EnvironmentInfo apptainer() {
  return {"apptainer", "an Apptainer (Singularity) image or directory", "apptainer", kOptions, enclose};
}

}  // namespace sparkmpi::launchers
