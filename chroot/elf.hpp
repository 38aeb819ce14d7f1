#pragma once
// What a program needs in order to start: its architecture, its loader and its shared objects.

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::chroot {

/// The head of an ELF file ("System V Application Binary Interface", chapters 4 and 5).
struct ElfHead {
  std::uint16_t machine = 0;  ///< e_machine
  std::string interpreter;    ///< the loader that PT_INTERP names; empty for libraries and static programs
};

/// Nothing for a file that is no 64-bit little-endian ELF. Throws Error when it can't be read.
std::optional<ElfHead> read_elf(const std::filesystem::path& file);

/// "x86-64", "aarch64", or "machine 243".
std::string machine_name(std::uint16_t machine);

struct SharedObject {
  std::string name;            ///< as asked for: "libmpi.so.40"
  std::filesystem::path path;  ///< where the loader finds it; empty: nowhere
};

/// Everything that the loader would map for `file` (a program or a library), found by asking the loader
/// itself (`ld.so --list`), so that LD_LIBRARY_PATH, RUNPATH and its cache count as they will. Throws Error
/// when the loader refuses.
std::vector<SharedObject> shared_objects(const std::filesystem::path& loader,
                                         const std::filesystem::path& file);

/// The lines of `ld.so --list`, parsed.
std::vector<SharedObject> parse_loader_list(std::string_view text);

}  // namespace sparkmpi::chroot
