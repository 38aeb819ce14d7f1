#include "chroot/create.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <fstream>

#include "base/command.hpp"
#include "base/error.hpp"
#include "chroot/elf.hpp"
#include "chroot/inside.hpp"
#include "chroot/payload.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

void require_empty(const CreateOptions& options) {
  std::error_code failed;
  if (fs::exists(options.root, failed) && !fs::is_directory(options.root, failed))
    throw UsageError(fmt::format("{} is no directory", options.root.string()));
  if (!options.force && fs::is_directory(options.root, failed) && !fs::is_empty(options.root, failed))
    throw UsageError(
        fmt::format("{} is not empty; give another directory, or --force", options.root.string()));
  fs::create_directories(options.root, failed);
  if (failed) throw Error(fmt::format("{} can't be made: {}", options.root.string(), failed.message()));
}

/// Every ELF file that was placed brings its shared objects; they are ELF files themselves.
void place_shared_objects(Placer& placer, const fs::path& loader, std::vector<std::string>& notes) {
  std::set<fs::path> seen;
  while (true) {
    std::vector<fs::path> fresh;
    for (const fs::path& file : placer.files()) {
      if (seen.insert(file).second) fresh.push_back(file);
    }
    if (fresh.empty()) return;
    for (const fs::path& file : fresh) {
      if (!read_elf(file)) continue;
      try {
        for (const SharedObject& object : shared_objects(loader, file)) {
          if (object.path.empty()) {
            notes.push_back(
                fmt::format("{} wants {}, which is not on this machine", file.string(), object.name));
          } else {
            // The driver's side belongs to the machine's kernel module: it is brought along at entry.
            if (!object.name.starts_with("libcuda.so") && !object.name.starts_with("libnvidia-"))
              placer.place(object.path);
          }
        }
      } catch (const Error& error) {
        notes.emplace_back(error.what());  // a plug-in of another architecture, say: MPI skips it as well
      }
    }
  }
}

/// Libraries may lie where the loader looks only by its cache or by a variable that a container does not hand
/// on: the root gets a cache of all folders that have some.
void write_loader_cache(const fs::path& root, const std::set<fs::path>& files,
                        std::vector<std::string>& notes) {
  const std::string ldconfig = fs::exists("/sbin/ldconfig") ? "/sbin/ldconfig" : find_program("ldconfig");
  if (ldconfig.empty()) {
    notes.emplace_back("ldconfig is not here: the root has no loader cache");
    return;
  }
  std::set<std::string> folders;
  for (const fs::path& file : files)
    if (file.filename().string().find(".so") != std::string::npos) folders.insert(file.parent_path());
  const fs::path list = "/etc/ld.so.conf.d/zz-sparkmpi.conf";
  const fs::path outside = resolve_inside(root, list);
  fs::create_directories(outside.parent_path());
  std::ofstream out(outside);
  for (const std::string& folder : folders) out << folder << '\n';
  out.close();
  // Only root may change roots; others list the same files where they were copied from.
  std::vector<std::string> argv = {ldconfig, "-X"};
  if (geteuid() == 0) {
    argv.insert(argv.end(), {"-r", root.string(), "-f", list.string()});
  } else {
    argv.insert(argv.end(), {"-f", outside.string(), "-C", resolve_inside(root, "etc/ld.so.cache").string()});
  }
  if (const CommandResult result = run_command(argv); !out || result.status != 0)
    notes.push_back(fmt::format("the root has no loader cache: {} ends with {}", ldconfig, result.status));
}

/// What a program may look up and no package has to own: this user, the local host, empty mount points.
void write_skeleton(const fs::path& root) {
  for (const char* const directory : {"proc", "sys", "dev", "dev/shm", "run", "var", "etc", "root", "home"})
    fs::create_directories(resolve_inside(root, directory));
  for (const char* const directory : {"tmp", "var/tmp"}) {
    const fs::path here = resolve_inside(root, directory);
    fs::create_directories(here);
    fs::permissions(here, fs::perms::all | fs::perms::sticky_bit);
  }
  const auto write = [&](const char* name, const std::string& text) {
    const fs::path file = resolve_inside(root, name);
    if (fs::exists(fs::symlink_status(file))) return;
    std::ofstream out(file);
    out << text;
    if (!out.flush()) throw Error(fmt::format("{} can't be written", file.string()));
  };
  std::string users = "root:x:0:0:root:/root:/bin/sh\n", groups = "root:x:0:\n";
  if (getuid() != 0) {
    users += fmt::format("user:x:{}:{}:user:/tmp:/bin/sh\n", getuid(), getgid());
    groups += fmt::format("user:x:{}:\n", getgid());
  }
  write("etc/passwd", users);
  write("etc/group", groups);
  write("etc/hosts", "127.0.0.1 localhost\n::1 localhost\n");
  write("etc/resolv.conf", "");
}

}  // namespace

CreateResult create_root(const CreateOptions& options) {
  require_empty(options);
  Payload payload = program_payload(options.cuda_libraries);
  const auto head = read_elf(payload.files.front());
  if (!head || head->interpreter.empty())
    throw Error(fmt::format("{} names no loader; a static program needs no root file system",
                            payload.files.front().string()));
  Placer placer(fs::absolute(options.root).lexically_normal(), options.mode);
  for (const fs::path& file : payload.files) placer.place(file);
  for (const fs::path& file : options.extra) {
    if (!fs::exists(file)) throw UsageError(fmt::format("{} does not exist", file.string()));
    placer.place(file);
  }
  placer.place(head->interpreter);
  place_shared_objects(placer, head->interpreter, payload.notes);
  write_skeleton(options.root);
  write_loader_cache(options.root, placer.files(), payload.notes);
  return {placer.files().size(), placer.bytes(), std::move(payload.notes)};
}

}  // namespace sparkmpi::chroot
