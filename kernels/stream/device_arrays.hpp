#pragma once
// `stream` on a GPU, as the host side sees it.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "kernels/device/cuda_module.hpp"
#include "kernels/stream/operations.hpp"
#include "kernels/timing/sample_clock.hpp"

namespace sparkmpi::kernels::stream {

/// Whose memory the GPU streams through.
enum class MemoryKind : std::uint8_t {
  device,   ///< cudaMalloc
  managed,  ///< cudaMallocManaged, touched by the GPU first, so that it lies on the GPU
  pinned,   ///< cudaHostAlloc: the host's memory over the bus (or the chip's link)
  system,   ///< the system's own allocator, touched by the host first; only where the GPU reaches pageable
            ///< memory. With HMM its pages move to the GPU during the warm-up, on GH200 they may stay.
};
std::string_view to_string(MemoryKind kind);
/// Throws UsageError that lists the kinds.
MemoryKind parse_memory_kind(std::string_view text);

/// The arrays of one operation in a GPU's memory or within its reach. The counterpart of host/arrays.hpp.
class DeviceArrays {
 public:
  virtual ~DeviceArrays() = default;
  /// Queues the operation once over all elements, or several times where once would be too short to fill the
  /// device (passes()).
  virtual void run() = 0;
  /// Queues a read of twice the L2 cache, so that nothing of the arrays is left in it.
  virtual void flush_cache() = 0;
  /// The clock of the stream that both are queued on.
  virtual timing::SampleClock& clock() = 0;
  /// Bytes that one run() moves by the operation's definition.
  virtual double bytes() const = 0;
  virtual std::size_t elements() const = 0;
  virtual int passes() const = 0;
  /// Waits, and compares every element on the GPU, or the sum, with what it must be. Throws Error that names
  /// the first wrong element.
  virtual void verify() = 0;
  /// For tests that plant an error. @param array 0, 1 or 2 for a, b or c.
  virtual void set_element(int array, std::size_t i, double value) = 0;
};

/// What `stream` asks of the CUDA module.
struct CudaStream {
  static constexpr std::string_view kInterface = "stream";
  /// @param footprint bytes in all, as for the host's arrays.
  /// @param passes 0: as many as it takes to move 256 MiB in device memory, 1 elsewhere.
  /// Throws Error that names what was asked and what was free.
  std::unique_ptr<DeviceArrays> (*make)(int ordinal, const OperationInfo& operation, std::size_t footprint,
                                        MemoryKind kind, int passes) = nullptr;
  std::size_t (*l2_bytes)(int ordinal) = nullptr;
};

}  // namespace sparkmpi::kernels::stream
