#include "kernels/stream/host/arrays.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "kernels/stream/pattern.hpp"

namespace sparkmpi::kernels::stream {
namespace {

constexpr std::size_t kLine = 64 / sizeof(double);

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
  if (const int array = written_array(operation_.operation); array >= 0) {
    for (std::size_t i = 0; i < elements_; ++i) {
      const double found = arrays_[array][i], wanted = expected(operation_.operation, i);
      if (found == wanted) continue;
      throw Error(fmt::format("stream: {} computed a wrong result: element {} of {} is {}, not {}",
                              operation_.name, i, elements_, found, wanted));
    }
    return;
  }
  double found = 0;
  for (const Sum& sum : sums_) found += sum.value;
  if (const double wanted = expected_sum(operation_.operation, elements_); found != wanted) {
    throw Error(
        fmt::format("stream: {} computed a wrong sum: {} instead of {}", operation_.name, found, wanted));
  }
}

}  // namespace sparkmpi::kernels::stream
