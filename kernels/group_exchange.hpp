#pragma once
// What members of a group tell each other besides sums.

#include <span>
#include <vector>

#include "kernels/communicator.hpp"

namespace sparkmpi::kernels {

/// Everybody's value, by rank; collective.
template <class T>
std::vector<T> gather(Group& group, const T& mine) {
  std::vector<T> all(static_cast<std::size_t>(group.size()), mine);
  for (int member = 0; member < group.size(); ++member)
    group.broadcast(std::as_writable_bytes(std::span(all).subspan(static_cast<std::size_t>(member), 1)),
                    member);
  return all;
}

/// Whether every member says yes; collective.
inline bool all_of(Group& group, bool mine) {
  float refusals = mine ? 0 : 1;
  group.sum({&refusals, 1});
  return refusals == 0;
}

}  // namespace sparkmpi::kernels
