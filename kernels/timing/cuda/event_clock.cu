#include <atomic>

#include "kernels/device/cuda/check.hpp"
#include "kernels/timing/cuda/event_clock.hpp"

namespace sparkmpi::kernels::timing {
namespace {

constexpr unsigned long long kPatienceNs = 1'000'000'000;

__global__ void wait_for_host(volatile EventClock::Gate* gate) {
  unsigned long long start = 0, now = 0;
  asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(start));
  while (gate->open == 0) {
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(now));
    if (now - start < kPatienceNs) continue;
    gate->expired = 1;
    __threadfence_system();
    return;
  }
}

}  // namespace

EventClock::EventClock(cudaStream_t stream) : stream_(stream) {
  cuda::check(cudaEventCreate(&start_), "cudaEventCreate");
  cuda::check(cudaEventCreate(&end_), "cudaEventCreate");
  cuda::check(cudaHostAlloc(reinterpret_cast<void**>(&gate_), sizeof(Gate), cudaHostAllocMapped),
              "cudaHostAlloc");
}

EventClock::~EventClock() {
  cudaEventDestroy(start_);
  cudaEventDestroy(end_);
  cudaFreeHost(gate_);
}

double EventClock::time(const std::function<void()>& operation, std::size_t repeats) {
  while (true) {
    *gate_ = {0, 0};
    try {
      if (blocking_) {
        wait_for_host<<<1, 1, 0, stream_>>>(gate_);
        cuda::check_launch("blocking start");
      }
      queue(operation, repeats);
    } catch (...) {
      std::atomic_ref(gate_->open).store(1, std::memory_order_release);
      throw;
    }
    std::atomic_ref(gate_->open).store(1, std::memory_order_release);
    cuda::check(cudaEventSynchronize(end_), "cudaEventSynchronize");
    if (gate_->expired == 0) break;
    blocking_ = ++expiries_ < 2;
  }
  float milliseconds = 0;
  cuda::check(cudaEventElapsedTime(&milliseconds, start_, end_), "cudaEventElapsedTime");
  return static_cast<double>(milliseconds) * 1e-3;
}

void EventClock::queue(const std::function<void()>& operation, std::size_t repeats) {
  cuda::check(cudaEventRecord(start_, stream_), "cudaEventRecord");
  for (std::size_t i = 0; i < repeats; ++i) operation();
  cuda::check(cudaEventRecord(end_, stream_), "cudaEventRecord");
}

}  // namespace sparkmpi::kernels::timing
