#include "kernels/child/child_process.hpp"

#include <fmt/format.h>
#include <poll.h>
#include <spawn.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <chrono>
#include <csignal>
#include <cstring>

#include "base/command.hpp"
#include "base/error.hpp"
#include "kernels/child/parent_link.hpp"

namespace sparkmpi::kernels::child {
namespace {

/// posix_spawn's two objects, with what every child gets.
class SpawnSettings {
 public:
  explicit SpawnSettings(int channel) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawnattr_init(&attributes_);
    // dup2 onto itself only clears close-on-exec, which is what is wanted then too.
    int status = posix_spawn_file_actions_adddup2(&actions_, channel, kChannelDescriptor);
    if (status == 0) status = posix_spawn_file_actions_addclosefrom_np(&actions_, kChannelDescriptor + 1);
    sigset_t none, defaults;
    sigemptyset(&none);
    sigemptyset(&defaults);
    for (const int signal : {SIGINT, SIGTERM, SIGPIPE}) sigaddset(&defaults, signal);
    if (status == 0) status = posix_spawnattr_setsigmask(&attributes_, &none);
    if (status == 0) status = posix_spawnattr_setsigdefault(&attributes_, &defaults);
    if (status == 0) status = posix_spawnattr_setpgroup(&attributes_, 0);
    if (status == 0)
      status = posix_spawnattr_setflags(
          &attributes_, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
    if (status != 0) throw Error(fmt::format("cannot prepare a child process: {}", std::strerror(status)));
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;             ///< owns C objects
  SpawnSettings& operator=(const SpawnSettings&) = delete;  ///< owns C objects

  pid_t start(const std::string& program, const std::vector<std::string>& words,
              const std::vector<std::string>& variables) const {
    pid_t child = -1;
    const int status = posix_spawn(&child, program.c_str(), &actions_, &attributes_, exec_words(words).data(),
                                   exec_words(variables).data());
    if (status != 0) throw Error(fmt::format("cannot start {}: {}", program, std::strerror(status)));
    return child;
  }

 private:
  posix_spawn_file_actions_t actions_{};
  posix_spawnattr_t attributes_{};
};

}  // namespace

std::string Ending::text() const {
  if (signal != 0) return fmt::format("was killed by signal {} ({})", signal, strsignal(signal));
  return fmt::format("ended with status {}", exit_status);
}

ChildProcess::ChildProcess(const std::string& program, std::vector<std::string> arguments,
                           std::vector<std::string> variables) {
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends.data()) != 0)
    throw Error(fmt::format("no channel for a child process: {}", std::strerror(errno)));
  socket_ = ends[0];
  arguments.insert(arguments.begin(), "sparkmpi");
  arguments.insert(arguments.end(), {kParentOption.data(), std::to_string(getpid())});
  for (char** variable = environ; *variable != nullptr; ++variable) variables.emplace_back(*variable);
  try {
    pid_ = SpawnSettings(ends[1]).start(program, arguments, variables);
  } catch (...) {
    close(ends[1]);
    close(socket_);
    throw;
  }
  close(ends[1]);
}

ChildProcess::~ChildProcess() {
  kill();
  wait();
  close(socket_);
}

bool ChildProcess::send(std::span<const std::uint8_t> record) {
  try {
    send_record(socket_, record);
    return true;
  } catch (const Error&) {
    return false;
  }
}

Received ChildProcess::receive(const StopSignal& stop, double patience_s) {
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  std::array<std::uint8_t, 65536> chunk{};
  while (true) {
    if (auto record = assembler_.next()) return {Event::record, std::move(*record)};
    if (stop.requested()) return {Event::stopped, {}};
    pollfd waiting{socket_, POLLIN, 0};
    const int ready = poll(&waiting, 1, 100);
    if (ready > 0) {
      const ssize_t got = recv(socket_, chunk.data(), chunk.size(), 0);
      if (got > 0) assembler_.add({chunk.data(), static_cast<std::size_t>(got)});
      // A child that dies with commands unread resets the connection: the same end.
      if (got == 0 || (got < 0 && errno != EINTR)) return {Event::ended, {}};
    }
    if (ready == 0 && std::chrono::duration<double>(Clock::now() - start).count() > patience_s)
      return {Event::timeout, {}};
  }
}

void ChildProcess::kill() noexcept {
  if (pid_ > 0 && !reaped_) ::kill(pid_, SIGKILL);
}

Ending ChildProcess::wait() {
  while (!reaped_) {
    if (waitpid(pid_, &status_, 0) >= 0 || errno != EINTR) reaped_ = true;
  }
  if (WIFSIGNALED(status_)) return {WTERMSIG(status_), 0};
  return {0, WEXITSTATUS(status_)};
}

}  // namespace sparkmpi::kernels::child
