#include "kernels/stream/host/arrays.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/error.hpp"

namespace sparkmpi::kernels::stream {
namespace {

constexpr std::size_t kLine = 64 / sizeof(double);
constexpr double kScalar = 0.5;
constexpr int kA = 0, kB = 1, kC = 2;

// Values depend on the position, so that a shifted index shows.
double initial(int array, std::size_t i) {
  return static_cast<double>((i % 1024 + 1) * static_cast<std::size_t>(array + 1));
}

struct Use {
  bool a, b, c;
};
Use use_of(Operation operation) {
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
      return {true, true, true};
  }
  return {true, true, true};
}

std::size_t elements_of(const OperationInfo& info, std::size_t footprint) {
  const auto arrays = static_cast<std::size_t>(info.arrays_read + info.arrays_written);
  return footprint / (arrays * sizeof(double)) / kLine * kLine;
}

/// What element i of the written array must be, and of which array that is.
struct Expected {
  int array;  ///< -1: the operation writes none
  double (*value)(std::size_t i);
};
Expected expected_of(Operation operation) {
  switch (operation) {
    case Operation::write:
      return {kA, [](std::size_t) { return kScalar; }};
    case Operation::copy:
      return {kC, [](std::size_t i) { return initial(kA, i); }};
    case Operation::scale:
      return {kB, [](std::size_t i) { return kScalar * initial(kC, i); }};
    case Operation::add:
      return {kC, [](std::size_t i) { return initial(kA, i) + initial(kB, i); }};
    case Operation::triad:
      return {kA, [](std::size_t i) { return initial(kB, i) + kScalar * initial(kC, i); }};
    case Operation::read:
    case Operation::dot:
      break;
  }
  return {-1, nullptr};
}

}  // namespace

Arrays::Arrays(host::ThreadTeam& team, const OperationInfo& operation, std::size_t footprint)
    : team_(team),
      operation_(operation),
      elements_(elements_of(operation, footprint)),
      memory_(footprint),
      sums_(static_cast<std::size_t>(team.size())) {
  double* next = memory_.as<double>().data();
  const Use use = use_of(operation.operation);
  const bool used[3] = {use.a, use.b, use.c};
  for (int array = 0; array < 3; ++array) {
    if (!used[array]) continue;
    arrays_[array] = next;
    next += elements_;
  }
  team_.run([this](int worker) { initialise(worker); });
}

void Arrays::initialise(int worker) {
  const host::Slice slice = host::slice_of(elements_, worker, team_.size(), kLine);
  for (int array = 0; array < 3; ++array) {
    if (arrays_[array] == nullptr) continue;
    for (std::size_t i = slice.begin; i < slice.end; ++i) arrays_[array][i] = initial(array, i);
  }
}

void Arrays::run(const Loops& loops) {
  team_.run([&](int worker) {
    const host::Slice slice = host::slice_of(elements_, worker, team_.size(), kLine);
    const std::size_t count = slice.end - slice.begin;
    const auto at = [&](int array) { return arrays_[array] + slice.begin; };
    double& sum = sums_[static_cast<std::size_t>(worker)].value;
    switch (operation_.operation) {
      case Operation::read:
        sum = loops.read(at(kA), count);
        break;
      case Operation::write:
        loops.write(at(kA), kScalar, count);
        break;
      case Operation::copy:
        loops.copy(at(kC), at(kA), count);
        break;
      case Operation::scale:
        loops.scale(at(kB), at(kC), kScalar, count);
        break;
      case Operation::add:
        loops.add(at(kC), at(kA), at(kB), count);
        break;
      case Operation::triad:
        loops.triad(at(kA), at(kB), at(kC), kScalar, count);
        break;
      case Operation::dot:
        sum = loops.dot(at(kA), at(kB), count);
        break;
    }
  });
}

double Arrays::bytes() const {
  return static_cast<double>(elements_ * operation_.bytes_per_element());
}

void Arrays::verify() const {
  const Expected expected = expected_of(operation_.operation);
  if (expected.array >= 0) {
    for (std::size_t i = 0; i < elements_; ++i) {
      const double found = arrays_[expected.array][i], wanted = expected.value(i);
      if (found == wanted) continue;
      throw Error(fmt::format("stream: {} computed a wrong result: element {} of {} is {}, not {}",
                              operation_.name, i, elements_, found, wanted));
    }
    return;
  }
  double found = 0, wanted = 0;
  for (const Sum& sum : sums_) found += sum.value;
  for (std::size_t i = 0; i < elements_; ++i) {
    wanted += operation_.operation == Operation::read ? initial(kA, i) : initial(kA, i) * initial(kB, i);
  }
  if (found != wanted) {
    throw Error(
        fmt::format("stream: {} computed a wrong sum: {} instead of {}", operation_.name, found, wanted));
  }
}

}  // namespace sparkmpi::kernels::stream
