#include "chroot/check.hpp"

#include <fmt/format.h>

#include "base/command.hpp"
#include "base/error.hpp"
#include "chroot/elf.hpp"
#include "chroot/inside.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

Finding check_architecture(const fs::path& file, std::uint16_t wanted) {
  const auto head = read_elf(file);
  if (!head)
    return {false, fmt::format("{} is no 64-bit ELF program", file.string()),
            "make the root again: sparkmpi rootfs create"};
  if (head->machine != wanted)
    return {false,
            fmt::format("the program there is for {}, this machine is {}", machine_name(head->machine),
                        machine_name(wanted)),
            "use an image or a root made on this architecture"};
  return {true, fmt::format("architecture {}", machine_name(wanted)), ""};
}

Finding check_start(const fs::path& self, const fs::path& root, const fs::path& program) {
  const CommandResult result = run_command(
      {self.string(), "rootfs", "enter", root.string(), "--no-gpu", "--", program.string(), "--version"});
  if (result.status == 0)
    return {true, fmt::format("starts: {}", result.output.substr(0, result.output.find('\n'))), ""};
  return {
      false,
      fmt::format("the program does not start there: {}", result.errors.substr(0, result.errors.find('\n'))),
      "make the root again on this machine (sparkmpi rootfs create), or install what the line names in it"};
}

}  // namespace

std::vector<Finding> check_root(const fs::path& given, const fs::path& program) {
  std::error_code failed;
  const fs::path root = fs::canonical(given, failed);
  if (failed || !fs::is_directory(root)) throw UsageError(fmt::format("{} is no directory", given.string()));
  const fs::path self = fs::read_symlink("/proc/self/exe");
  const auto own = read_elf(self);
  std::vector<Finding> findings;
  const fs::path inside = resolve_inside(root, program);
  if (!fs::exists(inside, failed)) {
    findings.push_back({false, fmt::format("{} is not in {}", program.string(), root.string()),
                        "sparkmpi rootfs create puts it there; for an image: -- --program PATH"});
    return findings;
  }
  findings.push_back({true, fmt::format("{} is there", program.string()), ""});
  findings.push_back(check_architecture(inside, own->machine));
  if (!findings.back().good) return findings;
  const auto head = read_elf(inside);
  if (!head->interpreter.empty()) {
    const bool loader = fs::exists(resolve_inside(root, head->interpreter), failed);
    findings.push_back(loader ? Finding{true, fmt::format("loader {}", head->interpreter), ""}
                              : Finding{false, fmt::format("the loader {} is missing", head->interpreter),
                                        "the root needs the C library of the program"});
    if (!loader) return findings;
  }
  findings.push_back(check_start(self, root, program));
  return findings;
}

}  // namespace sparkmpi::chroot
