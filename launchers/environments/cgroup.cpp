// A memory cgroup and nothing else: what a container's limit costs without the container.

#include <array>

#include "launchers/environments/all.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::launchers {
namespace {

constexpr std::array<EnvironmentOption, 2> kOptions = {{
    {"memory", "limit of the group, or none: memory=8G"},
    {"cgroup-parent", "group under which it is made (default: the caller's own): cgroup-parent=/bench"},
}};

Argv enclose(const Enclosure& enclosure, const Argv& inner) {
  Argv argv = {program_path(), "cgroup", "--name", enclosure.name};
  if (enclosure.has("memory")) argv.insert(argv.end(), {"--memory", enclosure.value("memory", "cgroup")});
  if (enclosure.has("cgroup-parent"))
    argv.insert(argv.end(), {"--parent", enclosure.value("cgroup-parent", "cgroup")});
  argv.emplace_back("--");
  argv.insert(argv.end(), inner.begin(), inner.end());
  return argv;
}

}  // namespace

EnvironmentInfo cgroup() {
  return {"cgroup", "a memory cgroup of its own and nothing else", "", kOptions, enclose};
}

}  // namespace sparkmpi::launchers
