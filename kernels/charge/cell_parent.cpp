// The parent's side of a cell.

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

#include "base/error.hpp"
#include "kernels/charge/cell.hpp"
#include "kernels/child/child_process.hpp"
#include "results/codec.hpp"

namespace sparkmpi::kernels::charge {
namespace {

/// A child that says nothing for so long hangs (in a driver, say): no step of a sensible size takes longer.
constexpr double kPatience_s = 120;

/// The command line of a cell's child.
std::vector<std::string> words_of(const CellRequest& request) {
  std::vector<std::string> words = {
      std::string(kSubCommand),      "--allocator", request.allocator, "--bytes",
      std::to_string(request.bytes), "--device",    request.device};
  if (!request.scratch_file.empty()) words.insert(words.end(), {"--scratch", request.scratch_file});
  return words;
}

void append_readings(ledger::LedgerSet& ledgers, ledger::Snapshot& snapshot) {
  std::ranges::move(ledgers.read(), std::back_inserter(snapshot.readings));
}

/// Takes snapshots from the child and lets it go on, until it is at its end or has to be killed.
void converse(child::ChildProcess& process, ledger::LedgerSet& device, const Clock& clock,
              const StopSignal& stop, CellResult& result) {
  while (true) {
    const child::Received received = process.receive(stop, kPatience_s);
    if (received.event == child::Event::ended) return;
    if (received.event != child::Event::record) {
      process.kill();
      result.error = received.event == child::Event::stopped
                         ? "interrupted"
                         : fmt::format("the child process has hung for {} s and was killed", kPatience_s);
      return;
    }
    results::KernelRecord record = results::decode_record(received.record);
    if (!record.outcome.error.empty()) result.error = record.outcome.error;
    for (ledger::Snapshot& snapshot : record.snapshots) {
      snapshot.time_s = clock.now_s();
      append_readings(device, snapshot);
      result.snapshots.push_back(std::move(snapshot));
    }
    if (!record.snapshots.empty()) process.send({});  // a dead child is seen by its end
  }
}

double reading_of(const ledger::Snapshot& snapshot, std::string_view name) {
  const auto found = std::ranges::find(snapshot.readings, name, &ledger::Reading::name);
  return found == snapshot.readings.end() ? 0 : found->value;
}

std::string describe_end(const child::Ending& ending, const CellResult& result) {
  if (ending.signal == 0 && ending.exit_status == 0) return {};
  constexpr std::string_view kKills = "vmstat.oom_kill";
  const bool for_memory =
      ending.signal != 0 && result.snapshots.size() > 1 &&
      reading_of(result.snapshots.back(), kKills) > reading_of(result.snapshots.front(), kKills);
  return fmt::format("the child process {}{}", ending.text(), for_memory ? ": the kernel's OOM killer" : "");
}

void measure(const CellRequest& request, const std::string& program, const DeviceLedgers& device,
             const Clock& clock, const StopSignal& stop, CellResult& result) {
  // OpenBLAS would start a thread with its buffers for each core before main().
  child::ChildProcess process(program, words_of(request), {"OPENBLAS_NUM_THREADS=1"});
  ledger::LedgerSet of_device = device(process.pid());
  try {
    converse(process, of_device, clock, stop, result);
  } catch (const Error& error) {
    process.kill();
    result.error = error.what();
  }
  const child::Ending ending = process.wait();
  // Found anew for each cell: a cgroup may have gone meanwhile.
  ledger::LedgerSet host = ledger::standard_ledgers();
  ledger::Snapshot end{std::string(to_string(Step::exit)), clock.now_s(), host.read()};
  append_readings(of_device, end);
  result.snapshots.push_back(std::move(end));
  if (result.error.empty()) result.error = describe_end(ending, result);
}

}  // namespace

CellResult measure_cell(const CellRequest& request, const std::string& program, const DeviceLedgers& device,
                        const Clock& clock, const StopSignal& stop) {
  CellResult result;
  try {
    measure(request, program, device, clock, stop, result);
  } catch (const Error& error) {
    result.error = error.what();
  }
  return result;
}

}  // namespace sparkmpi::kernels::charge
