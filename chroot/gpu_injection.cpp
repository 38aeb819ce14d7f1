#include "chroot/gpu_injection.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <set>
#include <sstream>

#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

constexpr const char* kDriverDirectory = "/run/sparkmpi/driver";

void take_edits(const YAML::Node& edits, Injection& injection) {
  for (const YAML::Node& mount : edits["mounts"]) {
    const auto options =
        mount["options"] ? mount["options"].as<std::vector<std::string>>() : std::vector<std::string>{};
    injection.binds.push_back({mount["hostPath"].as<std::string>(), mount["containerPath"].as<std::string>(),
                               std::ranges::find(options, "ro") != options.end()});
  }
  for (const YAML::Node& entry : edits["env"]) {
    const auto text = entry.as<std::string>();
    const std::size_t equals = text.find('=');
    if (equals != std::string::npos)
      injection.variables.emplace_back(text.substr(0, equals), text.substr(equals + 1));
  }
}

/// The directories of the injected libraries, for the loader.
std::string library_path(const std::vector<Bind>& binds) {
  std::set<std::string> directories;
  for (const Bind& bind : binds) {
    if (bind.target.filename().string().find(".so") != std::string::npos)
      directories.insert(bind.target.parent_path().string());
  }
  return fmt::format("{}", fmt::join(directories, ":"));
}

/// A specification names libcuda.so.580.1 and leaves it to a hook to make libcuda.so.1; the host's own links
/// say which names that are.
void add_linked_names(std::vector<Bind>& binds) {
  std::vector<Bind> more;
  for (const Bind& bind : binds) {
    const std::string name = bind.source.filename();
    const std::size_t end = name.find(".so.");
    if (end == std::string::npos) continue;
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(bind.source.parent_path(), failed)) {
      const std::string other = entry.path().filename();
      if (other != name && other.starts_with(name.substr(0, end + 3)) && entry.is_symlink(failed) &&
          fs::equivalent(entry.path(), bind.source, failed))
        more.push_back({bind.source, bind.target.parent_path() / other, bind.read_only});
    }
  }
  binds.insert(binds.end(), more.begin(), more.end());
}

bool any_is_here(const std::vector<Bind>& binds) {
  std::error_code failed;
  return std::ranges::any_of(binds, [&](const Bind& bind) { return fs::exists(bind.source, failed); });
}

std::string loader_cache() {
  for (const char* const program : {"/sbin/ldconfig", "/usr/sbin/ldconfig"}) {
    if (fs::exists(program)) return run_command({program, "-p"}).output;
  }
  return {};
}

}  // namespace

Injection parse_cdi(const std::string& text, const std::string& where) {
  Injection injection;
  try {
    const YAML::Node specification = YAML::Load(text);
    if (!specification.IsMap() || !specification["kind"])
      throw YAML::Exception(YAML::Mark::null_mark(), "has no 'kind'");
    if (specification["kind"].as<std::string>() != "nvidia.com/gpu") return {};
    injection.source = where;
    if (specification["containerEdits"]) take_edits(specification["containerEdits"], injection);
    for (const YAML::Node& device : specification["devices"]) {
      if (device["name"].as<std::string>() == "all" && device["containerEdits"])
        take_edits(device["containerEdits"], injection);
    }
  } catch (const YAML::Exception& error) {
    throw UsageError(fmt::format("{}: no CDI specification: {}", where, error.what()));
  }
  if (const std::string path = library_path(injection.binds); !path.empty())
    injection.variables.emplace_back("LD_LIBRARY_PATH", path);
  return injection;
}

std::vector<fs::path> driver_libraries(const std::string& cache) {
  // The driver's user side; which of libnvidia-*.so libcuda opens differs from release to release.
  constexpr std::array<std::string_view, 3> kNames = {"libcuda.so", "libcudadebugger.so", "libnvidia-"};
#if defined(__aarch64__)
  constexpr std::string_view kArchitecture = ",AArch64";
#else
  constexpr std::string_view kArchitecture = ",x86-64";
#endif
  std::vector<fs::path> found;
  std::set<fs::path> names;
  std::istringstream lines(cache);
  for (std::string line; std::getline(lines, line);) {
    const std::size_t name = line.find_first_not_of(" \t"), arrow = line.find("=> ");
    if (name == std::string::npos || arrow == std::string::npos) continue;
    const std::string_view word = std::string_view(line).substr(name);
    // "libcuda.so.1 (libc6,x86-64) => …": without the architecture it is another's (multiarch). Where a name
    // is there twice (a compatibility package), the loader takes the first.
    if (line.find(kArchitecture) > arrow) continue;
    if (std::ranges::none_of(kNames, [&](std::string_view known) { return word.starts_with(known); }))
      continue;
    fs::path file = line.substr(arrow + 3);
    if (names.insert(file.filename()).second) found.push_back(std::move(file));
  }
  return found;
}

Injection gpu_injection(const fs::path& root) {
  for (const char* const directory : {"etc/cdi", "var/run/cdi"}) {
    std::error_code failed;
    for (const fs::directory_entry& entry : fs::directory_iterator(root / directory, failed)) {
      const std::string extension = entry.path().extension();
      if (extension != ".yaml" && extension != ".yml" && extension != ".json") continue;
      std::ifstream in(entry.path());
      std::ostringstream text;
      text << in.rdbuf();
      Injection injection = parse_cdi(text.str(), entry.path());
      // A specification of another driver, or of another machine's (an image's): nothing of it is here.
      if (injection.source.empty() || !any_is_here(injection.binds)) continue;
      add_linked_names(injection.binds);
      return injection;
    }
  }
  Injection injection;
  for (const fs::path& library : driver_libraries(loader_cache()))
    injection.binds.push_back({library, fs::path(kDriverDirectory) / library.filename(), true});
  if (injection.binds.empty()) return injection;
  injection.source = "the loader's cache";
  injection.variables.emplace_back("LD_LIBRARY_PATH", kDriverDirectory);
  return injection;
}

}  // namespace sparkmpi::chroot
