#include "kernels/inference/cuda/members/nccl_reduce.hpp"

#include <exception>
#include <span>

namespace sparkmpi::kernels::inference::gpu {

NcclReduce::NcclReduce(Group& group, const cuda::Nccl& library)
    : library_(library), exceptions_(std::uncaught_exceptions()) {
  cuda::NcclUniqueId id{};
  if (group.rank() == 0) library_.check(library_.get_unique_id(&id), "ncclGetUniqueId");
  group.broadcast(std::as_writable_bytes(std::span(&id, 1)), 0);
  library_.check(library_.init_rank(&communicator_, group.size(), id, group.rank()), "ncclCommInitRank");
}

NcclReduce::~NcclReduce() {
  if (communicator_ == nullptr) return;
  if (std::uncaught_exceptions() > exceptions_) {
    abort();
  } else {
    static_cast<void>(library_.destroy(communicator_));
  }
}

void NcclReduce::sum(float* values, std::size_t count, const Launch& launch) {
  library_.check(library_.all_reduce(values, values, count, cuda::kNcclFloat32, cuda::kNcclSum, communicator_,
                                     launch.stream),
                 "ncclAllReduce");
}

void NcclReduce::check() {
  int error = cuda::kNcclSuccess;
  library_.check(library_.async_error(communicator_, &error), "ncclCommGetAsyncError");
  library_.check(error, "NCCL between the members");
}

void NcclReduce::abort() noexcept {
  if (communicator_ != nullptr) static_cast<void>(library_.abort(communicator_));
  communicator_ = nullptr;
}

}  // namespace sparkmpi::kernels::inference::gpu
