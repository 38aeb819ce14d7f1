#include "mpi/interruption.hpp"

#include <time.h>
#include <unistd.h>

#include <stdexcept>

namespace sparkmpi::mpi {
namespace {

constexpr double repetition_s = 0.3;

// clock_gettime is async-signal-safe (POSIX.1-2017, 2.4.3); std::chrono makes no such promise.
long long now_ns() noexcept {
  timespec now{};
  clock_gettime(CLOCK_MONOTONIC, &now);
  return now.tv_sec * 1'000'000'000LL + now.tv_nsec;
}

// A handler gets no argument of ours, so the way to the interruption has to be static.
std::atomic<Interruption*>& target() noexcept {
  static constinit std::atomic<Interruption*> instance{nullptr};
  return instance;
}

void handle(int signal) {
  Interruption* const interruption = target().load();
  if (interruption == nullptr) return;
  if (interruption->requested() && interruption->age_s() > repetition_s) _exit(128 + signal);
  interruption->request(signal);
}

}  // namespace

void Interruption::request(int signal) noexcept {
  if (requested()) return;
  when_ns_.store(now_ns(), std::memory_order_relaxed);
  signal_.store(signal, std::memory_order_relaxed);
  stop_.request();
}

double Interruption::age_s() const noexcept {
  return requested() ? static_cast<double>(now_ns() - when_ns_.load(std::memory_order_relaxed)) * 1e-9 : 0.0;
}

SignalHandlers::SignalHandlers(Interruption& interruption) {
  Interruption* expected = nullptr;
  if (!target().compare_exchange_strong(expected, &interruption)) {
    throw std::logic_error("signal handlers are installed already");
  }
  struct sigaction action {};
  action.sa_handler = handle;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &old_interrupt_);
  sigaction(SIGTERM, &action, &old_terminate_);
}

SignalHandlers::~SignalHandlers() {
  sigaction(SIGINT, &old_interrupt_, nullptr);
  sigaction(SIGTERM, &old_terminate_, nullptr);
  target().store(nullptr);
}

}  // namespace sparkmpi::mpi
