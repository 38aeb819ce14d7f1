#pragma once
// `stream`'s read over a fixed footprint that is held all the while: what reading costs beside memory that
// fills up.

#include <cstddef>
#include <memory>
#include <vector>

namespace sparkmpi::kernels::pressure {

class ReadProbe {
 public:
  virtual ~ReadProbe() = default;
  /// Once over the footprint; returns when it is done.
  virtual void read() = 0;
  /// Bytes that one read() moves.
  virtual double bytes() const = 0;
  /// Compares what was read with what must be there. Throws Error when it differs.
  virtual void verify() const = 0;
};

/// In the host's memory, by one thread on each of `cpus`. The calling thread is pinned to the first of them
/// while the probe lives.
std::unique_ptr<ReadProbe> make_host_read_probe(const std::vector<int>& cpus, std::size_t bytes);

}  // namespace sparkmpi::kernels::pressure
