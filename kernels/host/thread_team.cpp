#include "kernels/host/thread_team.hpp"

#include <fmt/format.h>
#include <pthread.h>
#include <sched.h>

#include <atomic>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <exception>
#include <mutex>
#include <thread>

#include "base/error.hpp"

namespace sparkmpi::kernels::host {
namespace {

// About 20 to 100 µs of spinning: longer than the skew between workers that have a core each, shorter than a
// scheduler's time slice, so an oversubscribed worker soon gives its core away.
constexpr int kSpins = 2000;

// Thrown through a worker's body when another worker has failed; never leaves this file.
struct Abandoned {};

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

/// Spins, then sleeps, until `word` differs from `old`.
void wait_until_changed(const std::atomic<std::uint32_t>& word, std::uint32_t old) {
  for (int spin = 0; spin < kSpins; ++spin) {
    if (word.load(std::memory_order_acquire) != old) return;
    relax();
  }
  while (word.load(std::memory_order_acquire) == old) word.wait(old, std::memory_order_acquire);
}

cpu_set_t mask_of(int cpu) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  CPU_SET(cpu, &mask);
  return mask;
}

}  // namespace

class ThreadTeam::State {
 public:
  explicit State(std::vector<int> cpus) : cpus_(std::move(cpus)) {
    if (cpus_.empty()) throw Error("a thread team needs at least one core");
    for (const int cpu : cpus_) {
      if (cpu < 0 || cpu >= CPU_SETSIZE) throw Error(fmt::format("core {} cannot be bound to", cpu));
    }
    pthread_getaffinity_np(pthread_self(), sizeof(callers_mask_), &callers_mask_);
    pin(0);
    try {
      for (int worker = 1; worker < size(); ++worker) start(worker);
    } catch (...) {
      stop();
      throw;
    }
  }

  ~State() { stop(); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  int size() const { return static_cast<int>(cpus_.size()); }
  const std::vector<int>& cpus() const { return cpus_; }

  void run(void (*call)(void*, int), void* object) {
    call_ = call;
    object_ = object;
    failure_ = nullptr;
    broken_.store(false, std::memory_order_relaxed);
    arrived_.store(0, std::memory_order_relaxed);
    running_.store(static_cast<std::uint32_t>(size() - 1), std::memory_order_relaxed);
    region_.fetch_add(1, std::memory_order_release);
    region_.notify_all();
    work(0);
    for (auto left = running_.load(std::memory_order_acquire); left != 0;
         left = running_.load(std::memory_order_acquire)) {
      wait_until_changed(running_, left);
    }
    if (failure_) std::rethrow_exception(failure_);
  }

  void barrier() {
    const auto phase = phase_.load(std::memory_order_acquire);
    if (broken_.load(std::memory_order_acquire)) throw Abandoned{};
    if (arrived_.fetch_add(1, std::memory_order_acq_rel) + 1 == static_cast<std::uint32_t>(size())) {
      arrived_.store(0, std::memory_order_relaxed);
      phase_.fetch_add(1, std::memory_order_release);
      phase_.notify_all();
    } else {
      wait_until_changed(phase_, phase);
    }
    if (broken_.load(std::memory_order_acquire)) throw Abandoned{};
  }

 private:
  void pin(int worker) const {
    const int cpu = cpus_[static_cast<std::size_t>(worker)];
    const cpu_set_t mask = mask_of(cpu);
    const int status = pthread_setaffinity_np(pthread_self(), sizeof(mask), &mask);
    if (status != 0) {
      throw Error(fmt::format("cannot bind a thread to core {}: {}; is it outside this job's cpuset?", cpu,
                              std::strerror(status)));
    }
  }

  void start(int worker) {
    // New threads inherit the signal mask: Ctrl-C and SIGTERM belong to the main thread.
    sigset_t blocked, before;
    sigfillset(&blocked);
    pthread_sigmask(SIG_SETMASK, &blocked, &before);
    threads_.emplace_back([this, worker] { serve(worker); });
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }

  void serve(int worker) {
    std::exception_ptr unbound;
    try {
      pin(worker);
    } catch (...) {
      unbound = std::current_exception();
    }
    std::uint32_t seen = 0;
    while (true) {
      wait_until_changed(region_, seen);
      seen = region_.load(std::memory_order_acquire);
      if (stopping_.load(std::memory_order_acquire)) return;
      if (unbound) {
        fail(unbound);
      } else {
        work(worker);
      }
      if (running_.fetch_sub(1, std::memory_order_acq_rel) == 1) running_.notify_all();
    }
  }

  void work(int worker) {
    try {
      call_(object_, worker);
    } catch (const Abandoned&) {
      // The worker that failed has left its exception behind.
    } catch (...) {
      fail(std::current_exception());
    }
  }

  /// Keeps the first failure and frees whoever waits at a barrier.
  void fail(std::exception_ptr failure) {
    {
      const std::lock_guard lock(failure_mutex_);
      if (!failure_) failure_ = std::move(failure);
    }
    broken_.store(true, std::memory_order_release);
    phase_.fetch_add(1, std::memory_order_release);
    phase_.notify_all();
  }

  void stop() {
    stopping_.store(true, std::memory_order_release);
    region_.fetch_add(1, std::memory_order_release);
    region_.notify_all();
    for (std::thread& thread : threads_) thread.join();
    pthread_setaffinity_np(pthread_self(), sizeof(callers_mask_), &callers_mask_);
  }

  // Apart from one another: each is written by one side and polled by the other.
  alignas(64) std::atomic<std::uint32_t> region_{0};
  alignas(64) std::atomic<std::uint32_t> running_{0};
  alignas(64) std::atomic<std::uint32_t> arrived_{0};
  alignas(64) std::atomic<std::uint32_t> phase_{0};
  alignas(64) std::atomic<bool> broken_{false};
  std::atomic<bool> stopping_{false};
  void (*call_)(void*, int) = nullptr;
  void* object_ = nullptr;
  std::exception_ptr failure_;
  std::mutex failure_mutex_;
  std::vector<int> cpus_;
  cpu_set_t callers_mask_{};
  std::vector<std::thread> threads_;
};

ThreadTeam::ThreadTeam(std::vector<int> cpus) : state_(std::make_unique<State>(std::move(cpus))) {}
ThreadTeam::~ThreadTeam() = default;
int ThreadTeam::size() const {
  return state_->size();
}
const std::vector<int>& ThreadTeam::cpus() const {
  return state_->cpus();
}
void ThreadTeam::barrier() {
  state_->barrier();
}
void ThreadTeam::run_erased(void (*call)(void*, int), void* object) {
  state_->run(call, object);
}

}  // namespace sparkmpi::kernels::host
