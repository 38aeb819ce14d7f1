#include "chroot/extract.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/command.hpp"
#include "base/error.hpp"
#include "chroot/elf.hpp"
#include "chroot/inside.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

std::string first_line(const std::string& text) {
  return text.substr(0, text.find('\n'));
}

CommandResult run_or_throw(const std::vector<std::string>& argv) {
  CommandResult result = run_command(argv);
  if (result.status != 0)
    throw Error(
        fmt::format("'{}' failed with {}: {}", shell_text(argv), result.status, first_line(result.errors)));
  return result;
}

void unpack(const fs::path& tar, const fs::path& root) {
  // Owners are kept where root unpacks, as tar does by itself; device nodes are /dev's business at entry.
  run_or_throw({"tar", "--extract", "--file", tar.string(), "--directory", root.string(), "--exclude=./dev/*",
                "--exclude=dev/*"});
}

void export_image(const std::string& tool, const std::string& image, const fs::path& root) {
  const fs::path tar = root.string() + ".tar";
  std::string container;
  for (std::vector<std::string> argv : image_export_commands(tool, image, tar)) {
    std::ranges::replace(argv, std::string("@container"), container);
    const CommandResult result = run_or_throw(argv);
    if (container.empty()) container = first_line(result.output);
  }
  unpack(tar, root);
  fs::remove(tar);
}

/// The architecture of the first program found that every distribution has.
void refuse_another_architecture(const fs::path& root) {
  const auto own = read_elf("/proc/self/exe");
  for (const char* const name : {"bin/sh", "usr/bin/env", "bin/busybox", "bin/ls", "usr/bin/ls"}) {
    std::error_code failed;
    const fs::path file = resolve_inside(root, name);
    if (!fs::is_regular_file(file, failed)) continue;
    const auto head = read_elf(file);
    if (!head) continue;
    if (head->machine == own->machine) return;
    fs::remove_all(root, failed);
    throw UsageError(
        fmt::format("the image is for {} and this machine is {}; pull it with --platform, or "
                    "build it here",
                    machine_name(head->machine), machine_name(own->machine)));
  }
}

}  // namespace

std::vector<std::vector<std::string>> image_export_commands(const std::string& tool, const std::string& image,
                                                            const fs::path& tar) {
  return {{tool, "create", image, "/bin/true"},
          {tool, "export", "--output", tar.string(), "@container"},
          {tool, "rm", "@container"}};
}

void extract_root(const std::string& source, const fs::path& root) {
  std::error_code failed;
  if (fs::exists(root, failed) && (!fs::is_directory(root, failed) || !fs::is_empty(root, failed)))
    throw UsageError(fmt::format("{} is not an empty directory; give another one", root.string()));
  fs::create_directories(root, failed);
  if (failed) throw Error(fmt::format("{} can't be made: {}", root.string(), failed.message()));
  if (fs::is_regular_file(source, failed)) {
    unpack(source, root);
  } else {
    const auto tools = {"podman", "docker"};
    const auto tool = std::ranges::find_if(tools, [&](const char* name) {
      return !find_program(name).empty() && run_command({name, "image", "inspect", source}).status == 0;
    });
    if (tool == tools.end())
      throw UsageError(
          fmt::format("'{}' is neither an archive nor an image that podman or docker have here; "
                      "pull it first",
                      source));
    export_image(*tool, source, root);
  }
  refuse_another_architecture(root);
}

}  // namespace sparkmpi::chroot
