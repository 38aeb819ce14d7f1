#pragma once
// The interface of one benchmark workload. A new workload is one folder here, holding a class that implements
// Kernel and a function that returns its KernelInfo, and one line in registry.cpp.

#include <filesystem>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/communicator.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/device/device.hpp"
#include "kernels/option.hpp"
#include "kernels/recorder.hpp"
#include "kernels/stop_signal.hpp"
#include "results/metric.hpp"

namespace sparkmpi::kernels {

/// Where a rank stands, as known before anything runs.
struct Site {
  const Placement& placement;
  const CudaModule& cuda;  ///< without devices where there is no GPU
  int ranks = 1;           ///< in the world
  int local_ranks = 1;     ///< on this node
  int rank = 0;            ///< this one, in the world
};

/// All that a kernel may touch while it runs. References outlive run().
struct Context {
  const Parameters& parameters;
  const Site& site;
  Communicator& world;
  Recorder& recorder;
  const StopSignal& stop;
};

class Kernel {
 public:
  virtual ~Kernel() = default;
  /// Rejects parameters that can't work here, before anything is measured: every rank calls it for every
  /// point before the first point runs, with no communication. Throws UsageError with one clear line.
  virtual void check(const Parameters& parameters, const Site& site) const = 0;
  /// Measures one point. Called on every rank at once, between two ledger snapshots. Throws Error when
  /// something fails or a result is wrong; what was recorded up to then is kept.
  virtual void run(Context& context) = 0;
  /// The files that run() will read at such a point (a model's weights): what `--cache` drops or warms before
  /// it. Throws UsageError as check() does.
  virtual std::vector<std::filesystem::path> files(const Parameters& /*parameters*/) const { return {}; }
};

struct KernelInfo {
  std::string_view name;
  std::string_view summary;  ///< one line for `sparkmpi list kernels`
  std::string_view example;  ///< a command for --help
  std::span<const OptionSpec> options;
  std::span<const results::MetricInfo> metrics;
  std::string_view headline;  ///< the metric that the summary shows first
  bool runs_on_gpu = false;   ///< otherwise its ranks drive the host
  std::unique_ptr<Kernel> (*make)();
};

}  // namespace sparkmpi::kernels
