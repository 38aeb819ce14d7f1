#include "launchers/study/design.hpp"

#include <algorithm>
#include <limits>
#include <numeric>
#include <utility>

namespace sparkmpi::launchers::study {

std::uint64_t Random::next() {
  state_ += 0x9e3779b97f4a7c15ULL;
  std::uint64_t value = state_;
  value = (value ^ (value >> 30U)) * 0xbf58476d1ce4e5b9ULL;
  value = (value ^ (value >> 27U)) * 0x94d049bb133111ebULL;
  return value ^ (value >> 31U);
}

std::size_t Random::below(std::size_t bound) {
  constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();
  const std::uint64_t whole = kMax - kMax % bound;
  std::uint64_t value = next();
  while (value >= whole) value = next();
  return value % bound;
}

void Random::shuffle(Order& order) {
  for (std::size_t i = order.size(); i > 1; --i) std::swap(order[i - 1], order[below(i)]);
}

Order in_turn(std::size_t count) {
  Order order(count);
  std::iota(order.begin(), order.end(), std::size_t{0});
  return order;
}

std::vector<Order> williams_sequences(std::size_t count) {
  // First row: 0, 1, n-1, 2, n-2, …; each further row adds 1 to every treatment.
  Order first;
  for (std::size_t i = 0; i < count; ++i) first.push_back(i % 2 == 1 ? (i + 1) / 2 : (count - i / 2) % count);
  std::vector<Order> sequences;
  for (std::size_t row = 0; row < count; ++row) {
    Order sequence;
    for (const std::size_t treatment : first) sequence.push_back((treatment + row) % count);
    sequences.push_back(std::move(sequence));
  }
  if (count % 2 == 1) {
    for (std::size_t row = 0; row < count; ++row)
      sequences.emplace_back(sequences[row].rbegin(), sequences[row].rend());
  }
  return sequences;
}

}  // namespace sparkmpi::launchers::study
