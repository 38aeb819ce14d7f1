// The child's side of a cell.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <chrono>
#include <optional>
#include <string_view>
#include <thread>

#include "base/error.hpp"
#include "kernels/charge/cell.hpp"
#include "kernels/charge/cuda_allocators.hpp"
#include "kernels/device/cuda_module.hpp"
#include "results/codec.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr std::size_t kWarmUp = std::size_t{2} << 20;

/// Takes as long as touching would, at about the speed at which a core gets new pages, so that an idle cell
/// sees as much of its neighbours as the others do.
class Idle final : public Allocator {
 public:
  void allocate(std::size_t bytes) override { bytes_ = bytes; }
  bool touch_cpu() override {
    constexpr double kBytesPerSecond = 2e9;
    std::this_thread::sleep_for(std::chrono::duration<double>(static_cast<double>(bytes_) / kBytesPerSecond));
    return true;
  }
  void release() override {}

 private:
  std::size_t bytes_ = 0;
};

void write_file(const char* path, std::string_view text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, text.data(), text.size());
  close(file);
}

/// Sends a snapshot after each step and waits until the parent has added its own readings.
class Reporter {
 public:
  explicit Reporter(child::ParentLink& parent) : parent_(parent), ledgers_(ledger::standard_ledgers()) {
    ledgers_.read();  // once unreported: the readers' own buffers must not look like charge
  }

  void snapshot(std::string_view moment) {
    // Counters that the kernel keeps per core reach the global ledgers only once a second; root can ask for
    // it now.
    write_file("/proc/sys/vm/stat_refresh", "1");
    results::KernelRecord record;
    record.snapshots.push_back({std::string(moment), 0, ledgers_.read()});
    parent_.send(results::encode(record));
    if (!parent_.receive()) throw Error("the parent of this cell is gone");
  }

  void error(std::string_view text) {
    results::KernelRecord record;
    record.outcome.error = text;
    parent_.send(results::encode(record));
  }

 private:
  child::ParentLink& parent_;
  ledger::LedgerSet ledgers_;
};

int ordinal_of(std::string_view device) {
  constexpr std::string_view kPrefix = "cuda:";
  int ordinal = -1;
  if (device.starts_with(kPrefix))
    std::from_chars(device.data() + kPrefix.size(), device.data() + device.size(), ordinal);
  if (ordinal < 0) throw UsageError(fmt::format("--device '{}': a cell is on host or on cuda:K", device));
  return ordinal;
}

/// The allocator that the request names. One of a GPU is used once before, unreported, with 2 MiB: what the
/// driver sets up for its first use in a process stays and is no charge of the memory asked for.
class Made {
 public:
  explicit Made(const CellRequest& request) {
    if (request.allocator == kIdle) {
      allocator_ = std::make_unique<Idle>();
      return;
    }
    std::span<const AllocatorInfo> known = host_allocators();
    if (request.device != "host") known = cuda_allocators(request.device);
    const auto info = std::ranges::find(known, request.allocator, &AllocatorInfo::name);
    if (info == known.end()) {
      throw UsageError(fmt::format("there is no allocator '{}' on {}", request.allocator, request.device));
    }
    if (info->needs == Needs::gpu) {
      const std::unique_ptr<Allocator> first = info->make({});
      first->allocate(kWarmUp);
      first->touch_cpu();
      first->touch_gpu();
      first->release();
    }
    allocator_ = info->make({request.scratch_file});
  }
  Allocator& operator*() const { return *allocator_; }

 private:
  std::span<const AllocatorInfo> cuda_allocators(std::string_view device) {
    module_.emplace();
    const auto* const side = module_->find<CudaAllocators>();
    if (side == nullptr || module_->devices().empty())
      throw Error(fmt::format("{}: {}", device, module_->reason()));
    side->prepare(ordinal_of(device));
    return side->allocators();
  }

  std::optional<CudaModule> module_;
  std::unique_ptr<Allocator> allocator_;
};

}  // namespace

int run_cell(const CellRequest& request, child::ParentLink& parent) {
  Reporter report(parent);
  try {
    const Made made(request);
    Allocator& allocator = *made;
    report.snapshot("before");
    allocator.allocate(request.bytes);
    report.snapshot(to_string(Step::allocate));
    if (allocator.touch_cpu()) report.snapshot(to_string(Step::touch_cpu));
    if (allocator.touch_gpu()) report.snapshot(to_string(Step::touch_gpu));
    allocator.release();
    report.snapshot(to_string(Step::release));
    return 0;
  } catch (const std::exception& failure) {
    report.error(failure.what());
    return 1;
  }
}

}  // namespace sparkmpi::kernels::charge
