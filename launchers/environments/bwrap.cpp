// bubblewrap: namespaces and nothing else, without root.

#include <array>

#include "launchers/environments/all.hpp"

namespace sparkmpi::launchers {
namespace {

constexpr std::array<EnvironmentOption, 3> kOptions = {{
    {"rootfs", "root directory: rootfs=./root"},
    {"unshare-pid", "a PID namespace of its own", true},
    {"unshare-ipc", "an IPC namespace of its own", true},
}};

Argv enclose(const Enclosure& enclosure, const Argv& inner) {
  Argv argv = {"bwrap", "--bind", enclosure.value("rootfs", "bwrap"), "/"};
  argv.insert(argv.end(), {"--dev-bind", "/dev", "/dev", "--proc", "/proc", "--ro-bind", "/sys", "/sys"});
  argv.insert(argv.end(), {"--bind", "/tmp", "/tmp"});
  const auto show = [&](const std::filesystem::path& path) {
    argv.insert(argv.end(), {"--bind", path.string(), path.string()});
  };
  show(enclosure.directory);
  for (const std::filesystem::path& path : enclosure.visible) show(path);
  for (const char* const flag : {"unshare-pid", "unshare-ipc"})
    if (enclosure.has(flag)) argv.push_back(std::string("--") + flag);
  argv.insert(argv.end(), {"--setenv", "container", "bwrap", "--die-with-parent", "--chdir",
                           enclosure.directory.string(), "--"});
  argv.insert(argv.end(), inner.begin(), inner.end());
  return argv;
}

}  // namespace

EnvironmentInfo bwrap() {
  return {"bwrap", "bubblewrap in a root directory", "bwrap", kOptions, enclose};
}

}  // namespace sparkmpi::launchers
