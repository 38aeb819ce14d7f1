// The child's side of a cell.

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <string_view>

#include "base/error.hpp"
#include "kernels/charge/cell.hpp"
#include "results/codec.hpp"

namespace sparkmpi::kernels::charge {
namespace {

class Idle final : public Allocator {
 public:
  void allocate(std::size_t) override {}
  bool touch_cpu() override { return true; }
  void release() override {}
};

void write_file(const char* path, std::string_view text) {
  const int file = open(path, O_WRONLY | O_CLOEXEC);
  if (file < 0) return;
  [[maybe_unused]] const ssize_t written = write(file, text.data(), text.size());
  close(file);
}

/// Sends length-prefixed records; the parent decodes them one by one, so a killed child loses only its last
/// step.
class Reporter {
 public:
  Reporter(int descriptor, ledger::LedgerSet& ledgers) : descriptor_(descriptor), ledgers_(ledgers) {}

  void snapshot(std::string_view moment) {
    // Counters that the kernel keeps per core reach the global ledgers only once a second; root can ask for
    // it now.
    write_file("/proc/sys/vm/stat_refresh", "1");
    results::KernelRecord record;
    record.snapshots.push_back({std::string(moment), 0, ledgers_.read()});
    send(record);
  }

  void error(std::string_view text) {
    results::KernelRecord record;
    record.outcome.error = text;
    send(record);
  }

 private:
  void send(const results::KernelRecord& record) {
    const std::vector<std::uint8_t> body = results::encode(record);
    const auto length = static_cast<std::uint32_t>(body.size());
    put(&length, sizeof length);
    put(body.data(), body.size());
  }

  void put(const void* data, std::size_t bytes) const {
    const auto* at = static_cast<const char*>(data);
    while (bytes > 0) {
      const ssize_t written = write(descriptor_, at, bytes);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) throw Error("the parent of this cell is gone");
      at += written;
      bytes -= static_cast<std::size_t>(written);
    }
  }

  int descriptor_;
  ledger::LedgerSet& ledgers_;
};

std::unique_ptr<Allocator> make_allocator(const CellRequest& request,
                                          std::span<const AllocatorInfo> allocators) {
  if (request.allocator == "idle") return std::make_unique<Idle>();
  const auto info = std::ranges::find(allocators, request.allocator, &AllocatorInfo::name);
  if (info == allocators.end())
    throw UsageError(fmt::format("there is no allocator '{}'", request.allocator));
  return info->make({request.scratch_file});
}

}  // namespace

int run_cell(const CellRequest& request, std::span<const AllocatorInfo> allocators, ledger::LedgerSet ledgers,
             int descriptor) {
  write_file("/proc/self/oom_score_adj", "1000");
  Reporter report(descriptor, ledgers);
  try {
    const std::unique_ptr<Allocator> allocator = make_allocator(request, allocators);
    ledgers.read();  // once unreported: the readers' own buffers must not look like charge
    report.snapshot("before");
    allocator->allocate(request.bytes);
    report.snapshot(to_string(Step::allocate));
    if (allocator->touch_cpu()) report.snapshot(to_string(Step::touch_cpu));
    if (allocator->touch_gpu()) report.snapshot(to_string(Step::touch_gpu));
    allocator->release();
    report.snapshot(to_string(Step::release));
    return 0;
  } catch (const std::exception& failure) {
    report.error(failure.what());
    return 1;
  }
}

}  // namespace sparkmpi::kernels::charge
