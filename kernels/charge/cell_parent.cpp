// The parent's side of a cell.

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/charge/cell.hpp"
#include "results/codec.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr int kChildDescriptor = 3;
constexpr std::uint32_t kLargestMessage = 64U << 20U;

class Pipe {
 public:
  Pipe() {
    if (pipe2(ends_.data(), O_CLOEXEC) != 0)
      throw Error(fmt::format("no pipe for a child process: {}", std::strerror(errno)));
  }
  ~Pipe() {
    close(ends_[0]);
    close_write();
  }
  Pipe(const Pipe&) = delete;
  Pipe& operator=(const Pipe&) = delete;
  int read_end() const { return ends_[0]; }
  int write_end() const { return ends_[1]; }
  void close_write() {
    if (ends_[1] >= 0) close(ends_[1]);
    ends_[1] = -1;
  }

 private:
  std::array<int, 2> ends_{-1, -1};
};

pid_t start_child(const CellRequest& request, const std::string& program, int write_end) {
  std::vector<std::string> words = {"sparkmpi",        "charge-cell", "--allocator",
                                    request.allocator, "--bytes",     std::to_string(request.bytes),
                                    "--device",        request.device};
  if (!request.scratch_file.empty()) words.insert(words.end(), {"--scratch", request.scratch_file});
  std::vector<char*> argv;
  for (std::string& word : words) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, write_end, kChildDescriptor);
  pid_t child = -1;
  const int status = posix_spawn(&child, program.c_str(), &actions, nullptr, argv.data(), environ);
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
  const auto body = received.begin() + sizeof length;
  results::KernelRecord record = results::decode_record({&*body, length});
  received.erase(received.begin(), body + length);
  return record;
}

/// Receives until the child closes its end; kills it when this run is to stop.
void receive(pid_t child, int read_end, const Clock& clock, const StopSignal& stop, CellResult& result) {
  std::vector<std::uint8_t> received;
  std::array<std::uint8_t, 65536> chunk{};
  while (true) {
    pollfd waiting{read_end, POLLIN, 0};
    const int ready = poll(&waiting, 1, 100);
    if (stop.requested()) {
      kill(child, SIGKILL);
      result.error = "interrupted";
      return;
    }
    if (ready <= 0) continue;
    const ssize_t got = read(read_end, chunk.data(), chunk.size());
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return;
    received.insert(received.end(), chunk.begin(), chunk.begin() + got);
    while (auto record = next_message(received)) {
      if (!record->outcome.error.empty()) result.error = record->outcome.error;
      for (ledger::Snapshot& snapshot : record->snapshots) {
        snapshot.time_s = clock.now_s();
        result.snapshots.push_back(std::move(snapshot));
      }
    }
  }
}

std::string describe_end(int status) {
  if (WIFSIGNALED(status)) {
    const int signal = WTERMSIG(status);
    return fmt::format("the child process was killed by signal {} ({}){}", signal, strsignal(signal),
                       signal == SIGKILL ? ": the kernel's OOM killer, most likely" : "");
  }
  return WEXITSTATUS(status) == 0
             ? std::string()
             : fmt::format("the child process ended with status {}", WEXITSTATUS(status));
}

}  // namespace

CellResult measure_cell(const CellRequest& request, const std::string& program, ledger::LedgerSet& ledgers,
                        const Clock& clock, const StopSignal& stop) {
  CellResult result;
  try {
    Pipe pipe;
    const pid_t child = start_child(request, program, pipe.write_end());
    pipe.close_write();
    try {
      receive(child, pipe.read_end(), clock, stop, result);
    } catch (const Error& error) {
      kill(child, SIGKILL);
      result.error = error.what();
    }
    int status = 0;
    while (waitpid(child, &status, 0) < 0 && errno == EINTR) {
    }
    if (result.error.empty()) result.error = describe_end(status);
    result.snapshots.push_back({std::string(to_string(Step::exit)), clock.now_s(), ledgers.read()});
  } catch (const Error& error) {
    result.error = error.what();
  }
  return result;
}

}  // namespace sparkmpi::kernels::charge
