#include "chroot/payload.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <map>

#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

bool there(const fs::path& path) {
  std::error_code failed;
  return fs::exists(path, failed);
}

void add_if_there(Payload& payload, const fs::path& path) {
  if (there(path)) payload.files.push_back(path);
}

void add_program(Payload& payload) {
  std::error_code failed;
  const fs::path program = fs::read_symlink("/proc/self/exe", failed);
  if (failed) throw Error("/proc/self/exe can't be read; is /proc mounted?");
  payload.files.push_back(program);
  add_if_there(payload, program.parent_path() / "libsparkmpi_cuda.so");
  add_if_there(payload, program.parent_path().parent_path() / "lib" / "libsparkmpi_cuda.so");
}

void add_tools(Payload& payload, std::initializer_list<const char*> names) {
  for (const char* const name : names) {
    if (const std::string found = find_program(name); !found.empty()) payload.files.emplace_back(found);
  }
}

/// Open MPI 4's and 5's launchers; a name that is a link brings its target along.
void add_mpi(Payload& payload) {
  add_tools(payload, {"mpirun", "mpiexec", "orterun", "orted", "prte", "prted", "prterun"});
  if (find_program("ompi_info").empty()) {
    payload.notes.emplace_back("ompi_info is not in PATH: no MPI plug-ins were copied");
    return;
  }
  std::map<std::string, std::string> paths;
  for (const auto& [name, path] :
       parse_ompi_paths(run_command({"ompi_info", "--parsable", "--path", "all"}).output))
    paths.emplace(name, path);
  for (const char* const name : {"pkglibdir", "pkgdatadir", "sysconfdir"}) {
    // A whole /etc or /usr/share is somebody else's: only directories that carry Open MPI's name.
    const fs::path path = paths[name];
    if (path.string().find("openmpi") != std::string::npos) add_if_there(payload, path);
  }
}

void add_library_plugins(Payload& payload) {
  for (const char* const directory : {"/usr/lib", "/usr/lib64", "/usr/local/lib"}) {
    for (const fs::path& base : {fs::path(directory), fs::path(directory) / "x86_64-linux-gnu",
                                 fs::path(directory) / "aarch64-linux-gnu"}) {
      for (const char* const plugins : {"pmix2/lib/pmix", "pmix2/share", "pmix", "ucx", "libibverbs"})
        add_if_there(payload, base / plugins);
    }
  }
}

/// Libraries that are opened by name, where the loader's cache has them.
void add_cached_libraries(Payload& payload, std::initializer_list<std::string_view> names) {
  const std::string ldconfig = there("/sbin/ldconfig") ? "/sbin/ldconfig" : find_program("ldconfig");
  if (ldconfig.empty()) return;
  const std::string cache = run_command({ldconfig, "-p"}).output;
  for (const std::string_view name : names) {
    const std::size_t line = cache.find(fmt::format("\t{} ", name));
    if (line == std::string::npos) continue;
    const std::size_t arrow = cache.find("=> ", line), end = cache.find('\n', line);
    if (arrow < end) payload.files.emplace_back(cache.substr(arrow + 3, end - arrow - 3));
  }
}

}  // namespace

std::vector<std::pair<std::string, std::string>> parse_ompi_paths(std::string_view text) {
  constexpr std::string_view kPrefix = "path:";
  std::vector<std::pair<std::string, std::string>> found;
  while (!text.empty()) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (!line.starts_with(kPrefix)) continue;
    line.remove_prefix(kPrefix.size());
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos)
      found.emplace_back(std::string(line.substr(0, colon)), std::string(line.substr(colon + 1)));
  }
  return found;
}

Payload program_payload(bool cuda_libraries) {
  Payload payload;
  add_program(payload);
  add_mpi(payload);
  add_library_plugins(payload);
  // NVIDIA's driver, which is brought along at entry, is linked with these parts of older C libraries.
  add_cached_libraries(payload, {"libdl.so.2", "libpthread.so.0", "librt.so.1"});
  if (cuda_libraries)
    add_cached_libraries(payload, {"libcublasLt.so.13", "libcublasLt.so.12", "libnccl.so.2"});
  add_tools(payload, {"sh", "bash", "ls", "cat", "env", "hostname", "ldconfig", "ssh"});
  for (const char* const file : {"/etc/ld.so.conf", "/etc/ld.so.conf.d", "/etc/nsswitch.conf",
                                 "/etc/os-release", "/usr/share/libhwloc", "/usr/share/hwdata/pci.ids"})
    add_if_there(payload, file);
  // Where these are links into /usr, scripts and loaders go by them.
  for (const char* const directory : {"/bin", "/sbin", "/lib", "/lib64"})
    if (fs::is_symlink(directory)) payload.files.emplace_back(directory);
  return payload;
}

}  // namespace sparkmpi::chroot
