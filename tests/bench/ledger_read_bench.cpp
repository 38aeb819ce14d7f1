// What one reading of all cheap ledgers costs, which is what the sampler thread does 10 times a second: wall
// and CPU time, median of many. The share of one core at 10 Hz is the CPU time × 10.

#include <fmt/format.h>
#include <time.h>

#include <algorithm>
#include <vector>

#include "ledger/ledger.hpp"

namespace {

double seconds(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return static_cast<double>(now.tv_sec) + 1e-9 * static_cast<double>(now.tv_nsec);
}

double median(std::vector<double>& values) {
  std::ranges::nth_element(values, values.begin() + static_cast<std::ptrdiff_t>(values.size() / 2));
  return values[values.size() / 2];
}

}  // namespace

int main() {
  constexpr int kReadings = 1000;
  sparkmpi::ledger::LedgerSet ledgers = sparkmpi::ledger::standard_ledgers();
  std::vector<double> wall, cpu;
  std::size_t quantities = 0;
  for (int i = 0; i < kReadings; ++i) {
    const double wall_begin = seconds(CLOCK_MONOTONIC), cpu_begin = seconds(CLOCK_THREAD_CPUTIME_ID);
    quantities = ledgers.read(true).size();
    cpu.push_back(seconds(CLOCK_THREAD_CPUTIME_ID) - cpu_begin);
    wall.push_back(seconds(CLOCK_MONOTONIC) - wall_begin);
  }
  const double cost = median(cpu);
  fmt::print("{} quantities: {:.0f} us wall, {:.0f} us CPU a reading; {:.3f} % of one core at 10 Hz\n",
             quantities, 1e6 * median(wall), 1e6 * cost, 1e3 * cost);
}
