// The parent's side of a cell.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>
#include <iterator>
#include <optional>

#include "base/error.hpp"
#include "kernels/charge/cell.hpp"
#include "results/codec.hpp"

namespace sparkmpi::kernels::charge {
namespace {

using std::chrono::steady_clock;

constexpr int kChildDescriptor = 3;
constexpr std::uint32_t kLargestMessage = 64U << 20U;
/// A child that says nothing for so long hangs (in a driver, say): no step of a sensible size takes longer.
constexpr std::chrono::seconds kPatience{120};

class SocketPair {
 public:
  SocketPair() {
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends_.data()) != 0)
      throw Error(fmt::format("no socket for a child process: {}", std::strerror(errno)));
  }
  ~SocketPair() {
    close(ends_[0]);
    close_child();
  }
  SocketPair(const SocketPair&) = delete;             ///< owns descriptors
  SocketPair& operator=(const SocketPair&) = delete;  ///< owns descriptors
  int parent() const { return ends_[0]; }
  int child() const { return ends_[1]; }
  void close_child() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> pointers;
  for (std::string& word : words) pointers.push_back(word.data());
  pointers.push_back(nullptr);
  return pointers;
}

pid_t start_child(const CellRequest& request, const std::string& program, int descriptor) {
  std::vector<std::string> words = {"sparkmpi",        "charge-cell", "--allocator",
                                    request.allocator, "--bytes",     std::to_string(request.bytes),
                                    "--device",        request.device};
  if (!request.scratch_file.empty()) words.insert(words.end(), {"--scratch", request.scratch_file});
  // OpenBLAS would start a thread with its buffers for each core before main().
  std::vector<std::string> variables = {"OPENBLAS_NUM_THREADS=1"};
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, descriptor, kChildDescriptor);
  pid_t child = -1;
  const int status = posix_spawn(&child, program.c_str(), &actions, nullptr, pointers_to(words).data(),
                                 pointers_to(variables).data());
  posix_spawn_file_actions_destroy(&actions);
  if (status != 0) throw Error(fmt::format("cannot start {}: {}", program, std::strerror(status)));
  return child;
}

/// Takes whole messages off the front of what has been received.
std::optional<results::KernelRecord> next_message(std::vector<std::uint8_t>& received) {
  std::uint32_t length = 0;
  if (received.size() < sizeof length) return std::nullopt;
  std::memcpy(&length, received.data(), sizeof length);
  if (length > kLargestMessage) throw Error("the child process of a cell sent nonsense");
  if (received.size() < sizeof length + length) return std::nullopt;
  results::KernelRecord record = results::decode_record({received.data() + sizeof length, length});
  received.erase(received.begin(), received.begin() + static_cast<std::ptrdiff_t>(sizeof length + length));
  return record;
}

void append_readings(ledger::LedgerSet& ledgers, ledger::Snapshot& snapshot) {
  std::ranges::move(ledgers.read(), std::back_inserter(snapshot.readings));
}

class Conversation {
 public:
  Conversation(int descriptor, ledger::LedgerSet& device, const Clock& clock, CellResult& result)
      : descriptor_(descriptor), device_(device), clock_(clock), result_(result) {}

  /// Receives until the child closes its end. False when the child has to be killed for it.
  bool receive(const StopSignal& stop) {
    auto last = steady_clock::now();
    while (true) {
      pollfd waiting{descriptor_, POLLIN, 0};
      const int ready = poll(&waiting, 1, 50);
      if (stop.requested()) {
        result_.error = "interrupted";
        return false;
      }
      if (ready <= 0) {
        if (steady_clock::now() - last < kPatience) continue;
        result_.error = fmt::format("the child process has hung for {} s and was killed", kPatience.count());
        return false;
      }
      if (!take()) return true;
      last = steady_clock::now();
    }
  }

 private:
  /// False at the end of what the child sends.
  bool take() {
    const ssize_t got = recv(descriptor_, chunk_.data(), chunk_.size(), 0);
    if (got < 0 && errno == EINTR) return true;
    if (got <= 0) return false;
    received_.insert(received_.end(), chunk_.begin(), chunk_.begin() + got);
    while (auto record = next_message(received_)) {
      if (!record->outcome.error.empty()) result_.error = record->outcome.error;
      for (ledger::Snapshot& snapshot : record->snapshots) {
        snapshot.time_s = clock_.now_s();
        append_readings(device_, snapshot);
        result_.snapshots.push_back(std::move(snapshot));
        const char go_on = 1;
        static_cast<void>(send(descriptor_, &go_on, 1, MSG_NOSIGNAL));  // a dead child is seen by its end
      }
    }
    return true;
  }

  int descriptor_;
  ledger::LedgerSet& device_;
  const Clock& clock_;
  CellResult& result_;
  std::vector<std::uint8_t> received_;
  std::array<std::uint8_t, 65536> chunk_{};
};

double reading_of(const ledger::Snapshot& snapshot, std::string_view name) {
  const auto found = std::ranges::find(snapshot.readings, name, &ledger::Reading::name);
  return found == snapshot.readings.end() ? 0 : found->value;
}

std::string describe_end(int status, const CellResult& result) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    constexpr std::string_view kKills = "vmstat.oom_kill";
    const bool for_memory = result.snapshots.size() > 1 && reading_of(result.snapshots.back(), kKills) >
                                                               reading_of(result.snapshots.front(), kKills);
    return fmt::format("the child process was killed by signal {} ({}){}", signal, strsignal(signal),
                       for_memory ? ": the kernel's OOM killer" : "");
  }
  return WEXITSTATUS(status) == 0
             ? std::string()
             : fmt::format("the child process ended with status {}", WEXITSTATUS(status));
}

void measure(const CellRequest& request, const std::string& program, const DeviceLedgers& device,
             const Clock& clock, const StopSignal& stop, CellResult& result) {
  SocketPair sockets;
  const pid_t child = start_child(request, program, sockets.child());
  sockets.close_child();
  ledger::LedgerSet of_device = device(child);
  try {
    if (!Conversation(sockets.parent(), of_device, clock, result).receive(stop)) kill(child, SIGKILL);
  } catch (const Error& error) {
    kill(child, SIGKILL);
    result.error = error.what();
  }
  int status = 0;
  while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  // Found anew for each cell: a cgroup may have gone meanwhile.
  ledger::LedgerSet host = ledger::standard_ledgers();
  ledger::Snapshot end{std::string(to_string(Step::exit)), clock.now_s(), host.read()};
  append_readings(of_device, end);
  result.snapshots.push_back(std::move(end));
  if (result.error.empty()) result.error = describe_end(status, result);
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
