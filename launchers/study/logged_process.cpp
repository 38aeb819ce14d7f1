#include "launchers/study/logged_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <cstring>
#include <thread>

#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi::launchers::study {
namespace {

using SteadyClock = std::chrono::steady_clock;

[[noreturn]] void become_command(char* const* words, const char* directory, int log, const sigset_t& mask,
                                 pid_t study) {
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != study) _exit(128 + SIGTERM);  // it died before the line above
  const int empty = open("/dev/null", O_RDONLY);
  if (chdir(directory) == 0 && empty >= 0 && dup2(empty, STDIN_FILENO) >= 0 &&
      dup2(log, STDOUT_FILENO) >= 0 && dup2(log, STDERR_FILENO) >= 0) {
    sigprocmask(SIG_SETMASK, &mask, nullptr);
    execvp(words[0], words);
  }
  dprintf(log, "sparkmpi: %s can't be started: %s\n", words[0], std::strerror(errno));
  _exit(127);
}

pid_t start(const Argv& argv, const std::filesystem::path& directory, const std::filesystem::path& log,
            const sigset_t& mask) {
  const std::vector<char*> words = exec_words(argv);
  const int descriptor = open(log.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (descriptor < 0) throw Error(fmt::format("{} can't be written: {}", log.string(), std::strerror(errno)));
  const pid_t study = getpid(), child = fork();
  if (child == 0) become_command(words.data(), directory.c_str(), descriptor, mask, study);
  const int status = errno;
  close(descriptor);
  if (child < 0) throw Error(fmt::format("no process to be had: {}", std::strerror(status)));
  return child;
}

}  // namespace

HeldSignals::HeldSignals() {
  sigemptyset(&held_);
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&held_, signal);
  sigprocmask(SIG_BLOCK, &held_, &before_);
}

HeldSignals::~HeldSignals() {
  sigprocmask(SIG_SETMASK, &before_, nullptr);
}

int HeldSignals::arrived() {
  const timespec at_once{0, 0};
  if (const int signal = sigtimedwait(&held_, nullptr, &at_once); signal > 0) arrived_ = signal;
  return arrived_;
}

ProcessEnd run_logged(const Argv& argv, const std::filesystem::path& directory,
                      const std::filesystem::path& log, double timeout_s, HeldSignals& signals,
                      const std::function<void()>& running) {
  const pid_t child = start(argv, directory, log, signals.before());
  const auto begin = SteadyClock::now();
  constexpr double kGrace = 10;
  ProcessEnd end;
  bool killed = false;
  double told = -1;  // seconds at which `running` was called last
  while (true) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      end.status = WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
      return end;
    }
    const double passed = std::chrono::duration<double>(SteadyClock::now() - begin).count();
    if (end.signal == 0 && signals.arrived() != 0) {
      end.signal = signals.arrived();
      kill(child, end.signal);
    }
    if (timeout_s > 0 && passed > timeout_s && !end.timed_out) {
      end.timed_out = true;
      kill(child, SIGTERM);
    }
    if (end.timed_out && passed > timeout_s + kGrace && !killed) {
      killed = true;
      kill(child, SIGKILL);
    }
    if (passed - told >= 1) {
      told = passed;
      running();
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
}

std::string telling_line(std::string_view log, const std::string& otherwise) {
  std::string first;
  while (!log.empty()) {
    const std::string_view line = log.substr(0, log.find('\n'));
    log.remove_prefix(std::min(log.size(), line.size() + 1));
    for (const std::string_view mark : {"sparkmpi: ", "Error: ", "FATAL: ", "bwrap: "})
      if (line.starts_with(mark)) return std::string(line);
    const bool says = std::ranges::any_of(line, [](unsigned char c) { return std::isalpha(c) != 0; });
    if (first.empty() && says) first = line;
  }
  return first.empty() ? otherwise : first;
}

}  // namespace sparkmpi::launchers::study
