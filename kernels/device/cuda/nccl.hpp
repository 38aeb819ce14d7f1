#pragma once
// NCCL, loaded when several GPUs compute together: the program runs where it is not installed.

#include <cuda_runtime_api.h>

#include <cstddef>
#include <string>
#include <string_view>

namespace sparkmpi::kernels::cuda {

/// What is used of nccl.h, the same in every NCCL 2: neither build nor start depend on it.
struct NcclUniqueId {
  char bytes[128];
};
using NcclCommunicator = struct ncclComm*;
inline constexpr int kNcclSuccess = 0, kNcclInProgress = 7, kNcclFloat32 = 7, kNcclSum = 0;

/// The functions that are used, of libnccl.so.2 (LD_LIBRARY_PATH, the system's paths, then the toolkit's).
/// The library stays loaded. Multicast through NVSwitch is switched off (NCCL_NVLS_ENABLE=0) unless the
/// environment says something else: it asks for rights that containers and shared machines often lack.
class Nccl {
 public:
  /// Throws Error that says in one line what is missing and what to install.
  Nccl();

  int (*get_version)(int* version);
  int (*get_unique_id)(NcclUniqueId* id);
  int (*init_rank)(NcclCommunicator* communicator, int ranks, NcclUniqueId id, int rank);
  int (*destroy)(NcclCommunicator communicator);
  int (*abort)(NcclCommunicator communicator);
  int (*async_error)(NcclCommunicator communicator, int* error);
  int (*all_reduce)(const void* from, void* to, std::size_t count, int type, int operation,
                    NcclCommunicator communicator, cudaStream_t stream);
  const char* (*error_string)(int result);
  const char* (*last_error)(NcclCommunicator communicator);

  /// Throws Error with the call and the library's words on one line.
  void check(int result, std::string_view call) const;
  /// "NCCL 2.28.9"
  std::string name() const;
};

}  // namespace sparkmpi::kernels::cuda
