#pragma once
// What a process in another root file system needs of the host to use its GPUs.

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "chroot/mounts.hpp"

namespace sparkmpi::chroot {

struct Injection {
  std::vector<Bind> binds;
  std::vector<std::pair<std::string, std::string>> variables;
  std::string source;  ///< the CDI file, or "the loader's cache"; empty: no GPU driver on this machine
};

/// Follows a CDI specification (Container Device Interface 0.6,
/// https://github.com/cncf-tags/container-device-interface) of kind nvidia.com/gpu in /etc/cdi or
/// /var/run/cdi, device "all", when there is one whose files are here; otherwise takes the driver's own
/// libraries out of the loader's cache. Device nodes come with /dev. Hooks are not run: they refresh the
/// loader's cache and make links; LD_LIBRARY_PATH and binds under the names of the host's links stand in for
/// that. Throws UsageError for a specification that can't be read.
/// @param root of the host's file system, for tests.
Injection gpu_injection(const std::filesystem::path& root = "/");

/// The binds and variables of one specification in YAML (JSON is a part of it). @param where for messages.
Injection parse_cdi(const std::string& text, const std::string& where);

/// The driver's libraries for this architecture in `ldconfig -p`'s output, each name once, as the loader
/// takes it.
std::vector<std::filesystem::path> driver_libraries(const std::string& loader_cache);

}  // namespace sparkmpi::chroot
