#pragma once
// In which order treatments follow one another, decided by a seed before the first of them.

#include <cstdint>
#include <vector>

namespace sparkmpi::launchers::study {

using Order = std::vector<std::size_t>;  ///< indices of treatments

/// Pseudo-random numbers that are the same on every machine: SplitMix64 (Steele, Lea, Flood, "Fast splittable
/// pseudorandom number generators", OOPSLA 2014). The standard library's distributions differ between
/// implementations.
class Random {
 public:
  explicit Random(std::uint64_t seed) : state_(seed) {}
  std::uint64_t next();
  /// Uniform in [0, bound), without the bias of a remainder. @param bound above 0.
  std::size_t below(std::size_t bound);
  /// Fisher and Yates.
  void shuffle(Order& order);

 private:
  std::uint64_t state_;
};

/// 0, 1, …, count - 1.
Order in_turn(std::size_t count);

/// Williams's design ("Experimental designs balanced for the estimation of residual effects of treatments",
/// Australian Journal of Scientific Research 2, 1949): sequences in which every treatment stands at every
/// place equally often and follows every other equally often. `count` sequences for an even number of
/// treatments, twice as many for an odd one.
std::vector<Order> williams_sequences(std::size_t count);

}  // namespace sparkmpi::launchers::study
