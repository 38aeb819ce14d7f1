#pragma once
// A thread that reads the cheap ledgers at a steady rate while a kernel runs.

#include <chrono>
#include <memory>

#include "base/clock.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

class Sampler {
 public:
  /// @param ledgers outlives the sampler; it is read by the sampler's thread alone between start() and
  /// stop().
  /// @param rate_hz 0 turns sampling off. Throws UsageError when negative or above 1000.
  Sampler(LedgerSet& ledgers, const Clock& clock, double rate_hz);
  ~Sampler();                                   ///< stops the thread
  Sampler(const Sampler&) = delete;             ///< owns a thread
  Sampler& operator=(const Sampler&) = delete;  ///< owns a thread

  void start();
  /// Reads once more, ends the thread and hands over what it saw: one sample at least, or an empty time line
  /// when it never ran.
  Timeline stop();

 private:
  class Thread;
  std::unique_ptr<Thread> thread_;
  LedgerSet& ledgers_;
  const Clock& clock_;
  double rate_hz_;
};

}  // namespace sparkmpi::ledger
