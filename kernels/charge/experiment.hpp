#pragma once
// All cells of one rank, in random order, with the idle ones between them.

#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "kernels/charge/cell.hpp"
#include "kernels/charge/charge_options.hpp"
#include "kernels/charge/headroom.hpp"
#include "kernels/charge/matrix.hpp"
#include "kernels/charge/scratch_file.hpp"
#include "kernels/kernel.hpp"
#include "ledger/nvml.hpp"

namespace sparkmpi::kernels::charge {

struct ExperimentPlan {
  std::vector<AllocatorInfo> allocators;
  std::vector<std::size_t> sizes;  ///< ascending
  int repetitions = 2;
  int idle_cells = 8;
  std::string scratch;  ///< "" looks for a directory
  std::uint64_t seed = 1;
};

/// The CUDA module's allocators, for a rank that drives a GPU; empty otherwise.
std::span<const AllocatorInfo> cuda_allocators(const Site& site);
/// What can be had on this rank's host and device now.
Headroom headroom_of(const Site& site);

class Experiment {
 public:
  /// Makes the scratch files when an allocator needs them. Without a place for it those allocators' cells say
  /// so, and the rest is measured. Both arguments outlive the experiment.
  Experiment(const ExperimentPlan& plan, Context& context);

  /// Every planned cell, and up to two more blocks of the controls when noise leaves one undecided; sorted
  /// by the plan's allocators and sizes. Ends early when the run is to stop.
  std::vector<Observation> run();

  const std::string& scratch() const { return scratch_directory_; }

 private:
  std::vector<PlannedCell> cells(bool controls_only) const;
  void measure(const std::vector<PlannedCell>& order, std::string_view what);
  Observation measure(const PlannedCell& cell);
  /// Why a cell is not to be tried; empty when it is.
  std::string refusal(const AllocatorInfo* allocator, std::size_t bytes) const;
  ledger::LedgerSet device_ledgers(pid_t child) const;

  const ExperimentPlan& plan_;
  Context& context_;
  /// One for each size: in a longer file the kernel would read ahead beyond it.
  std::map<std::size_t, ScratchFile> scratch_;
  std::string scratch_directory_;
  std::string no_scratch_;  ///< why there is none
  std::shared_ptr<const ledger::Nvml> nvml_;
  std::vector<Observation> done_;  ///< in the order they ran
};

}  // namespace sparkmpi::kernels::charge
