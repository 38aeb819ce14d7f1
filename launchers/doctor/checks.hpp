#pragma once
// The doctor's checks, one file each, and the judgements in them that need no machine.

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "launchers/doctor/finding.hpp"

namespace sparkmpi::launchers::doctor {

Findings check_environment();
Findings check_mpi();
Findings check_gpu();
Findings check_memory();
Findings check_network();

/// @param paths of all objects that are loaded. More than one libmpi is a mixed installation.
Finding judge_mpi_copies(const std::vector<std::string>& paths);

/// @param paths of all objects that are loaded, their folders canonical. Open MPI's libraries from two
/// folders are a mixed installation.
Finding judge_mpi_parts(const std::vector<std::string>& paths);

/// @param mpirun first line of `mpirun --version`; empty: there is none. @param library what MPI says about
/// itself.
Finding judge_mpirun(const std::string& mpirun, const std::string& library);

/// @param server PMIx's version in PMIX_VERSION, which the launcher's server sets for its ranks; empty: no
/// such launcher. @param client what the library here calls itself; empty: it can't be loaded.
Finding judge_pmix(const std::string& server, const std::string& client);

/// @param driver as cuDriverGetVersion gives it: 13000 is 13.0. @param runtime_major of the CUDA libraries.
Finding judge_driver(int driver, int runtime_major, const std::string& library);

/// @param nodes that /dev has of NVIDIA's driver. @param libcuda the loader's word when it can't be loaded;
/// empty: it can. @param reason the GPU module's.
Finding judge_gpus(std::size_t gpus, std::size_t nodes, const std::string& libcuda,
                   const std::string& reason);

/// @param bytes of /dev/shm; nothing: there is none.
Finding judge_shared_memory(std::optional<double> bytes);

/// @param limit RLIMIT_MEMLOCK in bytes, infinite: none. @param rdma there is an RDMA device.
Finding judge_memlock(double limit, bool rdma);

/// @param interfaces other than loopback that are up. @param rdma devices. @param ucx libucp can be loaded.
Finding judge_transport(const std::vector<std::string>& interfaces, const std::vector<std::string>& rdma,
                        bool ucx);

}  // namespace sparkmpi::launchers::doctor
