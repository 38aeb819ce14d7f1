#include "launchers/oci_bundle.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "chroot/gpu_injection.hpp"
#include "chroot/guardian.hpp"

namespace sparkmpi::launchers {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

json bind_mount(const fs::path& source, const fs::path& target, bool read_only) {
  json options = {"rbind", "rprivate"};
  if (read_only) options.push_back("ro");
  return {
      {"destination", target.string()}, {"type", "none"}, {"source", source.string()}, {"options", options}};
}

json mounts_of(const BundleOptions& options) {
  json mounts = {
      {{"destination", "/proc"}, {"type", "proc"}, {"source", "proc"}},
      {{"destination", "/dev"},
       {"type", "tmpfs"},
       {"source", "tmpfs"},
       {"options", {"nosuid", "strictatime", "mode=755", "size=65536k"}}},
      {{"destination", "/dev/pts"},
       {"type", "devpts"},
       {"source", "devpts"},
       {"options", {"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620"}}},
  };
  mounts.push_back(bind_mount("/dev/shm", "/dev/shm", false));
  mounts.push_back(bind_mount("/sys", "/sys", true));  // with the cgroups, which the ledgers read
  for (const chroot::Bind& bind : options.binds)
    mounts.push_back(bind_mount(bind.source, bind.target, bind.read_only));
  return mounts;
}

/// Docker's default list (moby, oci/caps/defaults.go).
json capabilities() {
  const json names = {"CAP_CHOWN",       "CAP_DAC_OVERRIDE",    "CAP_FSETID", "CAP_FOWNER",
                      "CAP_MKNOD",       "CAP_NET_RAW",         "CAP_SETGID", "CAP_SETUID",
                      "CAP_SETFCAP",     "CAP_SETPCAP",         "CAP_KILL",   "CAP_SYS_CHROOT",
                      "CAP_AUDIT_WRITE", "CAP_NET_BIND_SERVICE"};
  return {{"bounding", names}, {"effective", names}, {"permitted", names}};
}

fs::path temporary_directory() {
  std::string name = (fs::temp_directory_path() / "sparkmpi-bundle-XXXXXX").string();
  if (mkdtemp(name.data()) == nullptr)
    throw Error(fmt::format("no directory can be made in {}: {}", fs::temp_directory_path().string(),
                            std::strerror(errno)));
  return name;
}

}  // namespace

std::string bundle_config(const BundleOptions& options) {
  json variables = json::array();
  for (const auto& [name, value] : options.variables) variables.push_back(fmt::format("{}={}", name, value));
  json resources = {{"devices", {{{"allow", true}, {"access", "rwm"}}}}};
  if (options.memory) resources["memory"] = {{"limit", *options.memory}};
  const json config = {
      {"ociVersion", "1.0.2"},
      {"root", {{"path", options.root.string()}, {"readonly", false}}},
      {"process",
       {{"terminal", false},
        {"user", {{"uid", 0}, {"gid", 0}}},
        {"args", options.argv},
        {"env", variables},
        {"cwd", options.directory.string()},
        {"capabilities", capabilities()}}},
      {"mounts", mounts_of(options)},
      {"linux",
       {{"namespaces", {{{"type", "mount"}}}}, {"cgroupsPath", options.cgroup}, {"resources", resources}}}};
  return config.dump(2) + "\n";
}

std::vector<chroot::Bind> host_binds(bool gpu, std::vector<std::pair<std::string, std::string>>& variables) {
  std::vector<chroot::Bind> binds = {{"/tmp", "/tmp", false}};  // mpirun and its ranks meet there
  std::error_code failed;
  for (const char* const file : {"/etc/resolv.conf", "/etc/hosts"})
    if (const fs::path source = fs::canonical(file, failed); !failed) binds.push_back({source, file, true});
  if (!gpu) return binds;
  const chroot::Injection injection = chroot::gpu_injection();
  for (const chroot::Bind& bind : injection.binds)
    if (fs::exists(bind.source, failed)) binds.push_back(bind);
  for (const fs::directory_entry& entry : fs::directory_iterator("/dev", failed))
    if (entry.path().filename().string().starts_with("nvidia"))
      binds.push_back({entry.path(), entry.path(), false});
  variables.insert(variables.end(), injection.variables.begin(), injection.variables.end());
  return binds;
}

void run_bundle(const BundleOptions& options, const std::string& runtime) {
  const fs::path bundle = temporary_directory();
  chroot::continue_in_child([bundle] {
    std::error_code failed;
    fs::remove_all(bundle, failed);
  });
  std::ofstream out(bundle / "config.json");
  out << bundle_config(options);
  out.close();
  if (!out) throw Error(fmt::format("{} can't be written", (bundle / "config.json").string()));
  const std::string state = (bundle / "state").string();
  execlp(runtime.c_str(), runtime.c_str(), "--root", state.c_str(), "run", "--bundle", bundle.c_str(),
         options.name.c_str(), nullptr);
  throw Error(fmt::format("{} can't be started: {}", runtime, std::strerror(errno)));
}

}  // namespace sparkmpi::launchers
