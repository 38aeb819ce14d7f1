#include "launchers/environments/oci.hpp"

#include <fmt/format.h>

#include "base/error.hpp"

namespace sparkmpi::launchers::oci {
namespace {

std::string value_or(const Enclosure& enclosure, std::string_view option, std::string_view otherwise) {
  const auto found = enclosure.options.find(option);
  return found == enclosure.options.end() ? std::string(otherwise) : found->second;
}

bool without_cgroup(const Enclosure& enclosure) {
  return value_or(enclosure, "cgroups", "enabled") == "disabled";
}

void add_namespaces(const Enclosure& enclosure, Argv& argv) {
  for (const std::string_view kind : {"ipc", "network"})
    argv.push_back(fmt::format("--{}={}", kind, value_or(enclosure, kind, "host")));
  // podman finds the processes of a container without a cgroup by their PID namespace.
  argv.push_back(
      fmt::format("--pid={}", value_or(enclosure, "pid", without_cgroup(enclosure) ? "private" : "host")));
  if (enclosure.has("cgroupns"))
    argv.push_back(fmt::format("--cgroupns={}", enclosure.value("cgroupns", "container")));
}

void add_limits(const Enclosure& enclosure, Argv& argv) {
  struct Limit {
    std::string_view option, flag;
  };
  for (const auto& [option, flag] : {Limit{"shm-size", "--shm-size"},
                                     {"cpuset", "--cpuset-cpus"},
                                     {"memory", "--memory"},
                                     {"cgroup-parent", "--cgroup-parent"},
                                     {"cgroups", "--cgroups"},
                                     {"ulimit", "--ulimit"}}) {
    if (enclosure.has(option))
      argv.push_back(fmt::format("{}={}", flag, enclosure.value(option, "container")));
  }
  if (enclosure.has("privileged")) argv.emplace_back("--privileged");
}

void add_mounts(const Enclosure& enclosure, Argv& argv) {
  // Open MPI's ranks meet the launcher's daemon in its session directory under /tmp.
  argv.emplace_back("--volume=/tmp:/tmp");
  argv.push_back(fmt::format("--volume={0}:{0}", enclosure.directory.string()));
  for (const std::filesystem::path& path : enclosure.visible)
    argv.push_back(fmt::format("--volume={0}:{0}", path.string()));
  argv.push_back(fmt::format("--workdir={}", enclosure.directory.string()));
}

void add_gpus(std::string_view tool, const Enclosure& enclosure, Argv& argv) {
  if (!enclosure.gpu) return;
  const std::string how = value_or(enclosure, "gpu-device", tool == "docker" ? "gpus" : "nvidia.com/gpu=all");
  argv.push_back(how == "gpus" ? "--gpus=all" : fmt::format("--device={}", how));
}

void refuse_colons(const Enclosure& enclosure) {
  std::vector<std::filesystem::path> paths = enclosure.visible;
  paths.push_back(enclosure.directory);
  for (const std::filesystem::path& path : paths) {
    if (path.string().find(':') != std::string::npos)
      throw UsageError(
          fmt::format("'{}' can't be shown in a container: docker and podman take no colon in a "
                      "volume's path",
                      path.string()));
  }
}

}  // namespace

Argv enclose(std::string_view tool, const Enclosure& enclosure, const Argv& inner) {
  if (enclosure.has("image") == enclosure.has("rootfs"))
    throw UsageError(fmt::format("{}: give either --option image=NAME or --option rootfs=DIR", tool));
  if (tool == "docker" && enclosure.has("rootfs"))
    throw UsageError(
        "docker: runs images only; import the directory first: tar -C DIR -c . | docker import - NAME");
  if (tool == "docker" && enclosure.has("cgroups"))
    throw UsageError("docker: has no way to run without a cgroup; podman has");
  if (without_cgroup(enclosure) && value_or(enclosure, "pid", "private") == "host")
    throw UsageError("podman: cgroups=disabled takes a PID namespace of its own; leave pid=host out");
  refuse_colons(enclosure);
  Argv argv = {std::string(tool)};
  if (tool == "podman" && (enclosure.has("runtime") || without_cgroup(enclosure)))
    argv.push_back(
        fmt::format("--runtime={}", value_or(enclosure, "runtime", "crun")));  // runc always wants one
  argv.insert(argv.end(), {"run", "--rm", fmt::format("--name={}", enclosure.name)});
  if (enclosure.has("runtime") && tool == "docker")
    argv.push_back(fmt::format("--runtime={}", enclosure.value("runtime", tool)));
  add_namespaces(enclosure, argv);
  add_limits(enclosure, argv);
  add_mounts(enclosure, argv);
  add_gpus(tool, enclosure, argv);
  for (const std::string& variable : enclosure.variables) argv.push_back(fmt::format("--env={}", variable));
  // The image's own entry point would run something else first.
  argv.push_back(fmt::format("--entrypoint={}", inner.front()));
  if (enclosure.has("rootfs")) argv.emplace_back("--rootfs");
  argv.push_back(enclosure.has("rootfs") ? enclosure.value("rootfs", tool) : enclosure.value("image", tool));
  argv.insert(argv.end(), inner.begin() + 1, inner.end());
  return argv;
}

}  // namespace sparkmpi::launchers::oci
