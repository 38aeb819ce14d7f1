#pragma once
// A root file system run by an OCI runtime (runc, crun) without a container manager: the bundle is made for
// one command and removed behind it.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "chroot/mounts.hpp"

namespace sparkmpi::launchers {

struct BundleOptions {
  std::filesystem::path root;       ///< the root file system
  std::filesystem::path directory;  ///< working directory inside
  std::vector<std::string> argv;    ///< the command, as found inside
  std::vector<chroot::Bind> binds;
  std::vector<std::pair<std::string, std::string>> variables;  ///< all that the command finds set
  std::string name;                                            ///< of the container, unique on the node
  std::string cgroup;                   ///< path of its cgroup, from the hierarchy's root
  std::optional<std::uint64_t> memory;  ///< limit in bytes
};

/// config.json of the OCI runtime specification (1.0.2, https://github.com/opencontainers/runtime-spec): a
/// mount namespace and a cgroup of its own; processes, IPC, network and /dev/shm are the node's, so that
/// ranks find one another and the launcher. The capabilities are docker's defaults. The device cgroup is
/// open: what there is to open is what the mounts show.
std::string bundle_config(const BundleOptions& options);

/// Makes the bundle in a directory of its own, becomes `RUNTIME run` in a child, and removes the directory
/// when that ends. Does not return; throws Error.
[[noreturn]] void run_bundle(const BundleOptions& options, const std::string& runtime);

/// What of the host a container shows besides its own files: name resolution, and with `gpu` the driver's
/// libraries and device nodes. @param variables gets those that the libraries need.
std::vector<chroot::Bind> host_binds(bool gpu, std::vector<std::pair<std::string, std::string>>& variables);

}  // namespace sparkmpi::launchers
