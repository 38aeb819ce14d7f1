#include "kernels/pressure/child_side.hpp"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <new>

#include "ledger/field_file.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

constexpr std::uint64_t kPiece = std::uint64_t{32} << 20U;

using SteadyClock = std::chrono::steady_clock;

double seconds_since(SteadyClock::time_point start) {
  return std::chrono::duration<double>(SteadyClock::now() - start).count();
}

/// proc(5), /proc/pid/statm: the second field is the resident set in pages.
double resident_bytes() {
  const std::string line = ledger::first_line("/proc/self/statm");
  const auto blank = line.find(' ');
  const auto pages = blank == std::string::npos
                         ? std::nullopt
                         : ledger::leading_number(std::string_view(line).substr(blank));
  return pages.value_or(0) * static_cast<double>(sysconf(_SC_PAGESIZE));
}

}  // namespace

std::optional<Refusal> Holdings::touch(Block& block, std::uint64_t bytes, double& touch_s) {
  for (std::uint64_t done = 0; done < bytes; done += kPiece) {
    // The parent has found room for the whole block; what is noticed here is what others have taken since.
    if (auto refusal = refuse_growth(0, headroom_of(ledgers_.read(true)), rules_)) {
      refusal->text += ", found while touching";
      return refusal;
    }
    const auto start = SteadyClock::now();
    block.touch(done, std::min(kPiece, bytes - done));
    touch_s += seconds_since(start);
  }
  return std::nullopt;
}

Report Holdings::grow_to(std::uint64_t target) {
  Report report;
  const std::uint64_t more = target > held_ ? target - held_ : 0;
  try {
    const auto start = SteadyClock::now();
    std::unique_ptr<Block> block = allocator_.allocate(more);
    report.allocate_s = seconds_since(start);
    report.refusal = touch(*block, more, report.touch_s);
    if (!report.refusal) {
      blocks_.push_back(std::move(block));
      held_ += more;
    }
  } catch (const AllocationRefused& refusal) {
    report.refusal = Refusal{Cause::return_code, refusal.what()};
  } catch (const std::bad_alloc&) {
    report.refusal = Refusal{Cause::return_code, "operator new: out of memory"};
  }
  report.held = held_;
  report.resident = resident_bytes();
  return report;
}

void run_child(child::ParentLink& parent, const AllocatorInfo& allocator, const ChildOptions& options) {
  ledger::LedgerSet ledgers = ledger::standard_ledgers();
  Rules rules;
  rules.floor = options.floor;
  rules.until_killed = options.until_killed;
  Holdings holdings(allocator, rules, ledgers);
  Report ready;
  ready.resident = resident_bytes();
  parent.send(encode(ready));
  while (const auto record = parent.receive()) parent.send(encode(holdings.grow_to(decode_target(*record))));
}

}  // namespace sparkmpi::kernels::pressure
