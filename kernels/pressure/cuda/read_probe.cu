// The read of `stream` in a GPU's memory: sum += a[i].

#include <cuda_runtime.h>

#include <string>
#include <utility>

#include "base/bytes.hpp"
#include "kernels/pressure/cuda/interface.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

constexpr int kThreads = 256;
constexpr int kBlocksEachMultiprocessor = 8;
constexpr double kValue = 1;

void require(cudaError_t status, const char* call) {
  if (status == cudaSuccess) return;
  throw Error(std::string(call) + ": " + cudaGetErrorName(status) + " (" + cudaGetErrorString(status) + ")");
}

__global__ void fill(double2* data, std::size_t count, double value) {
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  for (std::size_t i = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x; i < count; i += stride)
    data[i] = {value, value};
}

/// One partial sum for each thread, so that no atomic is in the way of the reads.
__global__ void sum(const double2* data, std::size_t count, double* sums) {
  const std::size_t stride = std::size_t{gridDim.x} * blockDim.x;
  const std::size_t thread = std::size_t{blockIdx.x} * blockDim.x + threadIdx.x;
  double total = 0;
  for (std::size_t i = thread; i < count; i += stride) {
    const double2 two = data[i];
    total += two.x + two.y;
  }
  sums[thread] = total;
}

class DeviceArray {
 public:
  explicit DeviceArray(std::size_t bytes) {
    const cudaError_t status = cudaMalloc(&memory_, bytes);
    require(status, ("cudaMalloc of " + format_bytes(static_cast<double>(bytes)) + " to read").c_str());
  }
  ~DeviceArray() { static_cast<void>(cudaFree(memory_)); }  // a destructor has nobody to tell
  DeviceArray(const DeviceArray&) = delete;                 ///< owns device memory
  DeviceArray& operator=(const DeviceArray&) = delete;      ///< owns device memory
  template <class T>
  T* as() const {
    return static_cast<T*>(memory_);
  }

 private:
  void* memory_ = nullptr;
};

int threads_in_all(int ordinal) {
  require(cudaSetDevice(ordinal), "cudaSetDevice");
  int multiprocessors = 0;
  require(cudaDeviceGetAttribute(&multiprocessors, cudaDevAttrMultiProcessorCount, ordinal),
          "cudaDeviceGetAttribute");
  return multiprocessors * kBlocksEachMultiprocessor * kThreads;
}

class CudaReadProbe final : public ReadProbe {
 public:
  CudaReadProbe(int ordinal, std::size_t bytes)
      : ordinal_(ordinal),
        threads_(threads_in_all(ordinal)),
        count_(bytes / sizeof(double2)),
        data_(count_ * sizeof(double2)),
        sums_(static_cast<std::size_t>(threads_) * sizeof(double)) {
    fill<<<threads_ / kThreads, kThreads>>>(data_.as<double2>(), count_, kValue);
    require(cudaGetLastError(), "fill");
    require(cudaDeviceSynchronize(), "fill");
  }
  void read() override {
    sum<<<threads_ / kThreads, kThreads>>>(data_.as<double2>(), count_, sums_.as<double>());
    require(cudaGetLastError(), "read");
    require(cudaDeviceSynchronize(), "read");
  }
  double bytes() const override { return static_cast<double>(count_ * sizeof(double2)); }
  void verify() const override {
    require(cudaSetDevice(ordinal_), "cudaSetDevice");
    std::vector<double> sums(static_cast<std::size_t>(threads_));
    require(cudaMemcpy(sums.data(), sums_.as<double>(), sums.size() * sizeof(double), cudaMemcpyDeviceToHost),
            "cudaMemcpy of the sums");
    double total = 0;
    for (const double part : sums) total += part;
    // Whole numbers far below 2^53: exact in any order.
    const double expected = 2 * kValue * static_cast<double>(count_);
    if (total != expected)
      throw Error("the GPU's read is wrong: the sum is " + std::to_string(total) + ", not " +
                  std::to_string(expected));
  }

 private:
  int ordinal_;
  int threads_;
  std::size_t count_;
  DeviceArray data_;
  DeviceArray sums_;
};

}  // namespace

std::unique_ptr<ReadProbe> make_cuda_read_probe(int ordinal, std::size_t bytes) {
  return std::make_unique<CudaReadProbe>(ordinal, bytes);
}

}  // namespace sparkmpi::kernels::pressure
