#pragma once
// Sums over the members of a tensor-parallel group, on their GPUs.

#include <cstddef>
#include <memory>
#include <string>

#include "kernels/communicator.hpp"
#include "kernels/inference/all_reduce_method.hpp"
#include "kernels/inference/cuda/linear/products.hpp"

namespace sparkmpi::kernels::inference::gpu {

/// Every call is collective: all members make the same calls in the same order.
class AllReduce {
 public:
  virtual ~AllReduce() = default;

  /// Queues: values[i] becomes the sum of all members' values[i], the same bits on every member.
  virtual void sum(float* values, std::size_t count, const Launch& launch) = 0;

  /// Queues: output.residual += the sum of all members' `partial` [tokens, hidden], which becomes zero; and
  /// the first half of the next norm where output.next_input is given. output.stride is hidden, output.bias
  /// unused.
  virtual void add(float* partial, int tokens, int hidden, const ResidualOutput& output,
                   const Launch& launch);

  /// Whether a CUDA graph can hold it.
  virtual bool capturable() const = 0;

  /// Called while the host waits for what is queued. Throws Error when the members' connection has failed.
  virtual void check() {}
  /// Lets queued sums end, with whatever values: the other members will not come. No further calls. Graphs
  /// that hold sums are gone before.
  virtual void abort() noexcept {}

  /// How sums are made, for the result file.
  virtual std::string name() const = 0;
};

/// For the current device; collective over the group of two or more. Of `automatic`, members that share a GPU
/// get sums staged through the host, members with peer access to each other get peer memory for what a decode
/// step adds and NCCL for more, and others NCCL. Each is tried out and must give the same right sums on every
/// member before it is returned.
/// @param hidden values of a token.
/// Throws Error on every member when there is no way, with what is missing.
std::unique_ptr<AllReduce> make_all_reduce(Group& group, AllReduceMethod method, int hidden);

/// Waits for the stream, looking after the other members meanwhile: throws PeerFailure or Error when one of
/// them or the connection has failed. Then the work of the stream does not end before abort().
void wait_with_members(cudaStream_t stream, AllReduce& sums, Group& group, const char* what);

}  // namespace sparkmpi::kernels::inference::gpu
