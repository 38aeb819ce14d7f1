#pragma once
// The files that make up the program and what MPI needs to start it: what a root file system has to hold.

#include <filesystem>
#include <string>
#include <vector>

namespace sparkmpi::chroot {

struct Payload {
  /// Absolute paths of files and of whole directories, without their shared objects.
  std::vector<std::filesystem::path> files;
  std::vector<std::string> notes;  ///< what was looked for and is not on this machine, one line each
};

/// The running program with its CUDA module, the launcher and plug-ins of the MPI it is linked with
/// (`ompi_info --path all` says where they are), PMIx's and UCX's plug-ins, the libraries that are loaded
/// only at run time (cuBLASLt, NCCL), and the shell and tools that a person and Open MPI's launcher expect.
/// Throws Error when the program itself can't be found.
/// @param cuda_libraries take cuBLASLt (about 0.6 GB) and NCCL along.
Payload program_payload(bool cuda_libraries);

/// What `ompi_info --parsable --path all` printed: {"pkglibdir", "/usr/lib/…/openmpi3"}, …
std::vector<std::pair<std::string, std::string>> parse_ompi_paths(std::string_view text);

}  // namespace sparkmpi::chroot
