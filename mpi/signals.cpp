#include "mpi/signals.hpp"

#include <atomic>

namespace sparkmpi::mpi {
namespace {

// A handler gets nothing but the signal's number: these two are what it can reach.
std::atomic<kernels::StopSignal*> stop_of_handler{nullptr};
std::atomic<int> received_signal{0};

void on_signal(int signal) {
  if (kernels::StopSignal* const stop = stop_of_handler.load()) stop->request();
  received_signal.store(signal);
}

}  // namespace

SignalGuard::SignalGuard(kernels::StopSignal& stop) {
  stop_of_handler.store(&stop);
  received_signal.store(0);
  struct sigaction action {};
  action.sa_handler = on_signal;
  // After the first, the default action is back: a second Ctrl-C ends even a program that hangs.
  action.sa_flags = static_cast<int>(SA_RESETHAND | SA_RESTART);
  sigemptyset(&action.sa_mask);
  sigaction(SIGINT, &action, &previous_interrupt_);
  sigaction(SIGTERM, &action, &previous_terminate_);
}

SignalGuard::~SignalGuard() {
  sigaction(SIGINT, &previous_interrupt_, nullptr);
  sigaction(SIGTERM, &previous_terminate_, nullptr);
  stop_of_handler.store(nullptr);
}

int SignalGuard::received() {
  return received_signal.load();
}

}  // namespace sparkmpi::mpi
