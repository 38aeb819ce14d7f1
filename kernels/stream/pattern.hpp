#pragma once
// What the arrays of `stream` hold before and after an operation, on every device.

#include <cstddef>

#include "kernels/stream/operations.hpp"

namespace sparkmpi::kernels::stream {

inline constexpr double kScalar = 0.5;
inline constexpr int kA = 0, kB = 1, kC = 2;
inline constexpr std::size_t kPeriod = 1024;

/// Element i of a, b or c before the operation. Values depend on the position, so that a shifted index shows;
/// they are small whole numbers, so that every result is exact whatever the order of the additions; and the
/// factors of a, b and c are such that no operation leaves its output as it was.
constexpr double initial(int array, std::size_t i) {
  constexpr std::size_t kFactors[3] = {1, 2, 5};
  return static_cast<double>((i % kPeriod + 1) * kFactors[array]);
}

/// Which of a, b and c an operation has.
struct Use {
  bool a, b, c;
};
constexpr Use use_of(Operation operation) {
  switch (operation) {
    case Operation::read:
    case Operation::write:
      return {true, false, false};
    case Operation::copy:
      return {true, false, true};
    case Operation::scale:
      return {false, true, true};
    case Operation::dot:
      return {true, true, false};
    case Operation::add:
    case Operation::triad:
      break;
  }
  return {true, true, true};
}

/// The array that an operation writes; -1 for read and dot, which make a sum.
constexpr int written_array(Operation operation) {
  switch (operation) {
    case Operation::write:
    case Operation::triad:
      return kA;
    case Operation::scale:
      return kB;
    case Operation::copy:
    case Operation::add:
      return kC;
    case Operation::read:
    case Operation::dot:
      break;
  }
  return -1;
}

/// Element i of the written array afterwards; for read and dot, what element i adds to the sum. Doing the
/// operation again changes nothing.
constexpr double expected(Operation operation, std::size_t i) {
  switch (operation) {
    case Operation::write:
      return kScalar;
    case Operation::read:
    case Operation::copy:
      return initial(kA, i);
    case Operation::scale:
      return kScalar * initial(kC, i);
    case Operation::add:
      return initial(kA, i) + initial(kB, i);
    case Operation::triad:
      return initial(kB, i) + kScalar * initial(kC, i);
    case Operation::dot:
      return initial(kA, i) * initial(kB, i);
  }
  return 0;
}

/// The sum that read and dot must make of `elements` elements, by whole periods. Exact below 2^53, which the
/// dot product reaches at a footprint of 200 GB.
constexpr double expected_sum(Operation operation, std::size_t elements) {
  double period = 0, rest = 0;
  for (std::size_t i = 0; i < kPeriod; ++i) period += expected(operation, i);
  for (std::size_t i = 0; i < elements % kPeriod; ++i) rest += expected(operation, i);
  const std::size_t periods = elements / kPeriod;
  return static_cast<double>(periods) * period + rest;
}

/// Elements of each array for a footprint: a whole number of 64-byte lines.
constexpr std::size_t elements_of(const OperationInfo& operation, std::size_t footprint) {
  constexpr std::size_t kLine = 64 / sizeof(double);
  const auto arrays =
      static_cast<std::size_t>(operation.arrays_read) + static_cast<std::size_t>(operation.arrays_written);
  return footprint / (arrays * sizeof(double)) / kLine * kLine;
}

}  // namespace sparkmpi::kernels::stream
