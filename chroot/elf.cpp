#include "chroot/elf.hpp"

#include <elf.h>
#include <fmt/format.h>

#include <array>
#include <cstring>
#include <fstream>

#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi::chroot {
namespace {

std::string_view next_line(std::string_view& text) {
  const std::size_t end = std::min(text.find('\n'), text.size());
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(std::min(end + 1, text.size()));
  return line;
}

std::string_view trimmed(std::string_view text) {
  const std::size_t first = text.find_first_not_of(" \t");
  if (first == std::string_view::npos) return {};
  return text.substr(first, text.find_last_not_of(" \t") - first + 1);
}

}  // namespace

std::optional<ElfHead> read_elf(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  if (!in) throw Error(fmt::format("{} can't be read", file.string()));
  Elf64_Ehdr head{};
  if (!in.read(reinterpret_cast<char*>(&head), sizeof head)) return std::nullopt;
  if (std::memcmp(head.e_ident, ELFMAG, SELFMAG) != 0 || head.e_ident[EI_CLASS] != ELFCLASS64 ||
      head.e_ident[EI_DATA] != ELFDATA2LSB)
    return std::nullopt;
  ElfHead found{head.e_machine, {}};
  for (int i = 0; i < head.e_phnum; ++i) {
    Elf64_Phdr segment{};
    in.seekg(static_cast<std::streamoff>(head.e_phoff + static_cast<std::uint64_t>(i) * head.e_phentsize));
    if (!in.read(reinterpret_cast<char*>(&segment), sizeof segment)) return std::nullopt;
    constexpr std::uint64_t kLongestPath = 4096;
    if (segment.p_type != PT_INTERP || segment.p_filesz > kLongestPath) continue;
    std::string name(segment.p_filesz, '\0');
    in.seekg(static_cast<std::streamoff>(segment.p_offset));
    if (in.read(name.data(), static_cast<std::streamsize>(name.size()))) found.interpreter = name.c_str();
  }
  return found;
}

std::string machine_name(std::uint16_t machine) {
  switch (machine) {
    case EM_X86_64:
      return "x86-64";
    case EM_AARCH64:
      return "aarch64";
    case EM_PPC64:
      return "ppc64";
    default:
      return fmt::format("machine {}", machine);
  }
}

std::vector<SharedObject> parse_loader_list(std::string_view text) {
  std::vector<SharedObject> found;
  while (!text.empty()) {
    const std::string_view line = trimmed(next_line(text));
    const std::size_t arrow = line.find(" => "), address = line.rfind(" (0x");
    const std::string_view name = trimmed(line.substr(0, std::min(arrow, address)));
    if (name.empty() || name.starts_with("linux-vdso") || name == "statically linked") continue;
    if (arrow == std::string_view::npos) {
      if (name.front() == '/') found.push_back({std::string(name), std::string(name)});
      continue;
    }
    const std::string_view path =
        trimmed(line.substr(arrow + 4, address == std::string_view::npos ? address : address - arrow - 4));
    found.push_back({std::string(name), path.starts_with('/') ? std::string(path) : std::string()});
  }
  return found;
}

std::vector<SharedObject> shared_objects(const std::filesystem::path& loader,
                                         const std::filesystem::path& file) {
  const CommandResult result = run_command({loader.string(), "--list", file.string()});
  if (result.status != 0)
    throw Error(fmt::format("{} can't be loaded: {}", file.string(), trimmed(result.errors)));
  return parse_loader_list(result.output);
}

}  // namespace sparkmpi::chroot
