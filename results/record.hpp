#pragma once
// Plain structs that the runner gathers and the writer stores. Nothing here knows MPI or HDF5.

#include <string>
#include <vector>

#include "base/attributes.hpp"
#include "ledger/reading.hpp"

namespace sparkmpi::results {

/// One metric's raw samples on one rank. All series with the same axis have the same length on a rank, so
/// that companions line up (`token_time_s` and `token_request` on the axis "token").
struct Series {
  std::string metric;  ///< a MetricInfo's name
  std::string axis;    ///< the second dimension's name: "sample", "token", "request"
  std::vector<double> values;
};

/// Text beside an axis, one value for each sample: which operation, which allocator. At most as long as the
/// axis.
struct Labels {
  std::string name;  ///< "operation"
  std::string axis;
  std::vector<std::string> values;
};

/// How a kernel ended on a rank.
struct Outcome {
  bool complete = false;    ///< ran to its own end and every operation verified
  std::string stop_reason;  ///< why measuring stopped: "converged", "max_samples", "time_budget",
                            ///< "interrupted", "failed", …
  std::string error;        ///< one line; empty unless it failed
};

/// Everything one rank has to say about one point.
struct KernelRecord {
  Outcome outcome;
  double start_s = 0;  ///< seconds since the run's start
  double end_s = 0;
  Attributes facts;  ///< facts about this rank's run of it: "threads", "simd", "weights_hash", "kv_blocks"
  std::vector<Series> series;
  std::vector<Labels> labels;
  std::vector<ledger::Snapshot> snapshots;  ///< "before", any of the kernel's own moments, "after"
  ledger::Timeline timeline;
};

/// One kernel with one value of each parameter: what is run between two commits.
struct Point {
  int index = 0;  ///< order in the run, from 0
  std::string kernel;
  Attributes parameters;
};

/// A rank's identity and binding, constant over the run: "host", "node", "local_rank", "pid", "device",
/// "cpus", …
struct RankInfo {
  Attributes facts;
};

/// Facts about the whole run: command line, versions, libraries really loaded, launch time, environment.
struct RunInfo {
  Attributes facts;
};

}  // namespace sparkmpi::results
