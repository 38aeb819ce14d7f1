#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <vector>

#include "base/error.hpp"
#include "kernels/device/cuda/check.hpp"
#include "kernels/device/cuda/memory.hpp"
#include "kernels/stream/cuda/array_memory.hpp"
#include "kernels/stream/cuda/interface.hpp"
#include "kernels/stream/cuda/passes.hpp"
#include "kernels/stream/pattern.hpp"
#include "kernels/timing/cuda/event_clock.hpp"

namespace sparkmpi::kernels::stream {
namespace {

/// A launch that moves this much lasts some 100 µs, against which its start and its end do not count.
constexpr std::size_t kBytesOfALaunch = std::size_t{256} << 20;

int attribute(cudaDeviceAttr name) {
  int device = 0, value = 0;
  cuda::check(cudaGetDevice(&device), "cudaGetDevice");
  cuda::check(cudaDeviceGetAttribute(&value, name, device), "cudaDeviceGetAttribute");
  return value;
}

class CudaArrays final : public DeviceArrays {
 public:
  CudaArrays(const OperationInfo& operation, std::size_t footprint, MemoryKind kind, int passes)
      : operation_(operation),
        elements_(elements_of(operation, footprint)),
        memory_(kind, footprint),
        blocks_(resident_blocks(operation.operation)),
        passes_(passes > 0 ? passes : passes_for(footprint, kind)),
        sums_(static_cast<std::size_t>(blocks_) * sizeof(double), "stream: sums"),
        clock_(stream_) {
    double* next = memory_.data();
    const Use use = use_of(operation.operation);
    const bool used[3] = {use.a, use.b, use.c};
    for (int array = 0; array < 3; ++array) {
      if (!used[array]) continue;
      arrays_[array] = next;
      next += elements_;
      launch_fill(arrays_[array], array, elements_, stream_);
    }
    cuda::check(cudaMemsetAsync(sums_.as<void>(), 0, sums_.bytes(), stream_), "cudaMemsetAsync");
    stream_.wait("stream: fill");
  }

  void run() override {
    launch_passes(operation_.operation, {arrays_[kA], arrays_[kB], arrays_[kC], elements_}, passes_, blocks_,
                  sums_.as<double>(), stream_);
  }

  void flush_cache() override {
    if (flushed_.bytes() == 0) {
      flushed_ = cuda::DeviceMemory(2 * static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize)),
                                    "stream: flushing the cache");
      flush_sums_ = cuda::DeviceMemory(sums_.bytes(), "stream: flushing the cache");
      cuda::check(cudaMemsetAsync(flushed_.as<void>(), 0, flushed_.bytes(), stream_), "cudaMemsetAsync");
    }
    launch_passes(Operation::read,
                  {flushed_.as<double>(), nullptr, nullptr, flushed_.bytes() / sizeof(double) / 2 * 2}, 1,
                  attribute(cudaDevAttrMultiProcessorCount), flush_sums_.as<double>(), stream_);
  }

  timing::SampleClock& clock() override { return clock_; }
  double bytes() const override {
    return static_cast<double>(passes_) * static_cast<double>(elements_ * operation_.bytes_per_element());
  }
  std::size_t elements() const override { return elements_; }
  int passes() const override { return passes_; }

  void verify() override {
    stream_.wait("stream: passes");
    const int array = written_array(operation_.operation);
    if (array < 0) return verify_sum();
    cuda::DeviceMemory lowest(sizeof(unsigned long long), "stream: verification");
    const unsigned long long none = elements_;
    copy(lowest.as<void>(), &none, sizeof(none));
    launch_find_wrong(arrays_[array], operation_.operation, elements_, lowest.as<unsigned long long>(),
                      stream_);
    stream_.wait("stream: verification");
    unsigned long long wrong = 0;
    copy(&wrong, lowest.as<void>(), sizeof(wrong));
    if (wrong == none) return;
    double found = 0;
    copy(&found, arrays_[array] + wrong, sizeof(found));
    throw Error(fmt::format("stream: {} computed a wrong result on the GPU: element {} of {} is {}, not {}",
                            operation_.name, wrong, elements_, found, expected(operation_.operation, wrong)));
  }

  void set_element(int array, std::size_t i, double value) override {
    stream_.wait("stream: passes");
    copy(arrays_[array] + i, &value, sizeof(value));
  }

 private:
  static int passes_for(std::size_t footprint, MemoryKind kind) {
    const bool on_device = kind == MemoryKind::device || kind == MemoryKind::managed;
    return on_device ? static_cast<int>(std::max<std::size_t>(1, kBytesOfALaunch / footprint)) : 1;
  }

  static void copy(void* to, const void* from, std::size_t bytes) {
    cuda::check(cudaMemcpy(to, from, bytes, cudaMemcpyDefault), "cudaMemcpy");
  }

  void verify_sum() {
    std::vector<double> sums(static_cast<std::size_t>(blocks_));
    copy(sums.data(), sums_.as<void>(), sums_.bytes());
    const double found = std::accumulate(sums.begin(), sums.end(), 0.0);
    const double wanted = static_cast<double>(passes_) * expected_sum(operation_.operation, elements_);
    if (found == wanted) return;
    throw Error(fmt::format("stream: {} computed a wrong sum on the GPU: {} instead of {}", operation_.name,
                            found, wanted));
  }

  const OperationInfo& operation_;
  std::size_t elements_;
  ArrayMemory memory_;
  int blocks_;
  int passes_;
  cuda::DeviceMemory sums_, flushed_, flush_sums_;
  double* arrays_[3] = {};
  cuda::Stream stream_;
  timing::EventClock clock_;
};

std::unique_ptr<DeviceArrays> make(int ordinal, const OperationInfo& operation, std::size_t footprint,
                                   MemoryKind kind, int passes) {
  cuda::check(cudaSetDevice(ordinal), "cudaSetDevice");
  return std::make_unique<CudaArrays>(operation, footprint, kind, passes);
}

std::size_t l2_bytes(int ordinal) {
  cuda::check(cudaSetDevice(ordinal), "cudaSetDevice");
  return static_cast<std::size_t>(attribute(cudaDevAttrL2CacheSize));
}

}  // namespace

const CudaStream& cuda_stream() {
  static constexpr CudaStream table = {make, l2_bytes};
  return table;
}

}  // namespace sparkmpi::kernels::stream
