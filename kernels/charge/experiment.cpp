#include "kernels/charge/experiment.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/charge/cuda_allocators.hpp"
#include "kernels/device/cuda_ledger.hpp"
#include "kernels/device/device_ledgers.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr const char* kProgram = "/proc/self/exe";
constexpr int kMoreControlBlocks = 2;
constexpr int kIdleCellsOfControls = 3;

}  // namespace

std::span<const AllocatorInfo> cuda_allocators(const Site& site) {
  if (site.placement.device.kind != DeviceKind::cuda) return {};
  const auto* const side = site.cuda.find<CudaAllocators>();
  return side == nullptr ? std::span<const AllocatorInfo>() : side->allocators();
}

Headroom headroom_of(const Site& site) {
  ledger::LedgerSet ledgers = ledger::standard_ledgers();
  if (site.placement.device.kind == DeviceKind::cuda)
    ledgers.add(std::make_unique<CudaLedger>(site.cuda, site.placement.device.ordinal));
  return headroom(ledgers.read(true), free_shared_memory());
}

Experiment::Experiment(const ExperimentPlan& plan, Context& context) : plan_(plan), context_(context) {
  const auto needs_file = [](const AllocatorInfo& info) { return info.needs == Needs::file; };
  if (std::ranges::any_of(plan_.allocators, needs_file)) {
    try {
      const std::filesystem::path directory = charge::scratch_directory(plan_.scratch);
      for (const std::size_t bytes : plan_.sizes)
        scratch_.try_emplace(bytes, directory, bytes).first->second.drop_from_cache();
      scratch_directory_ = std::filesystem::absolute(directory).lexically_normal().string();
    } catch (const Error& error) {
      scratch_.clear();
      no_scratch_ = error.what();
    }
  }
  if (context_.site.placement.device.kind == DeviceKind::cuda) nvml_ = std::make_shared<ledger::Nvml>();
}

std::vector<Observation> Experiment::run() {
  measure(randomised(cells(false), plan_.repetitions, plan_.idle_cells, plan_.seed), "");
  for (int more = 1; more <= kMoreControlBlocks && !context_.stop.requested(); ++more) {
    const Matrix matrix = charge_matrix(done_);
    if (matrix.charges.empty() || (matrix.broken.empty() && matrix.doubtful.empty())) break;
    const auto seed = plan_.seed + static_cast<std::uint64_t>(more);
    measure(randomised(cells(true), 1, kIdleCellsOfControls, seed), "controls once more: ");
  }
  for (std::size_t i = 0; i < done_.size(); ++i) done_[i].order = i;
  const auto place = [this](const Observation& cell) {
    const auto found = std::ranges::find(plan_.allocators, cell.allocator, &AllocatorInfo::name);
    return std::pair(found - plan_.allocators.begin(), cell.bytes);
  };
  std::ranges::stable_sort(done_, {}, place);
  return std::move(done_);
}

std::vector<PlannedCell> Experiment::cells(bool controls_only) const {
  const Headroom available = headroom_of(context_.site);
  std::vector<PlannedCell> all;
  for (const AllocatorInfo& info : plan_.allocators) {
    if (controls_only && info.name != "malloc" && info.name != "file_read") continue;
    for (const std::size_t bytes : sizes_for(info, plan_.sizes, available))
      all.push_back({std::string(info.name), bytes});
  }
  return all;
}

void Experiment::measure(const std::vector<PlannedCell>& order, std::string_view what) {
  for (std::size_t i = 0; i < order.size() && !context_.stop.requested(); ++i) {
    const PlannedCell& cell = order[i];
    context_.recorder.progress(
        static_cast<double>(i) / static_cast<double>(order.size()),
        fmt::format("{}{} {}", what, cell.allocator, format_bytes(static_cast<double>(cell.bytes))));
    Observation observation = measure(cell);
    // A cell cut short by Ctrl-C says nothing about its allocator.
    if (!context_.stop.requested()) done_.push_back(std::move(observation));
  }
}

Observation Experiment::measure(const PlannedCell& cell) {
  const auto found = std::ranges::find(plan_.allocators, cell.allocator, &AllocatorInfo::name);
  const AllocatorInfo* const allocator = found == plan_.allocators.end() ? nullptr : &*found;
  Observation observation{cell.allocator, cell.bytes, {}, refusal(allocator, cell.bytes), 0};
  if (!observation.error.empty()) return observation;
  const bool on_gpu = allocator != nullptr && allocator->needs == Needs::gpu;
  const auto file = scratch_.find(cell.bytes);
  const CellRequest request{cell.allocator, cell.bytes,
                            file == scratch_.end() ? std::string() : file->second.path(),
                            on_gpu ? context_.site.placement.device.id : "host"};
  CellResult result = measure_cell(
      request, kProgram, [this](pid_t child) { return device_ledgers(child); }, context_.recorder.clock(),
      context_.stop);
  observation.snapshots = std::move(result.snapshots);
  observation.error = std::move(result.error);
  return observation;
}

std::string Experiment::refusal(const AllocatorInfo* allocator, std::size_t bytes) const {
  try {
    for (const auto& [size, file] : scratch_) file.drop_from_cache();
  } catch (const Error& error) {
    return error.what();
  }
  if (allocator == nullptr) return {};
  if (allocator->needs == Needs::file && !scratch_.contains(bytes)) return no_scratch_;
  return objection(*allocator, bytes, headroom_of(context_.site));
}

ledger::LedgerSet Experiment::device_ledgers(pid_t child) const {
  ledger::LedgerSet set;
  const Device& device = context_.site.placement.device;
  if (device.kind != DeviceKind::cuda) return set;
  set.add(std::make_unique<CudaLedger>(context_.site.cuda, device.ordinal));
  if (!nvml_->available()) return set;
  try {
    set.add(std::make_unique<ledger::NvmlLedger>(nvml_, device.uuid, static_cast<std::uint32_t>(child)));
  } catch (const Error&) {
    // A GPU that NVML does not know: its other ledgers go on.
  }
  return set;
}

}  // namespace sparkmpi::kernels::charge
