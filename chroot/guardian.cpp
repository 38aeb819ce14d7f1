#include "chroot/guardian.hpp"

#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.hpp"

namespace sparkmpi::chroot {
namespace {

/// Waits for the child or for a signal, whichever comes first, with all of them blocked: no handler needed.
[[noreturn]] void guard(pid_t child, const sigset_t& signals, const std::function<void()>& at_end) {
  while (true) {
    int status = 0;
    if (waitpid(child, &status, WNOHANG) == child) {
      if (at_end) at_end();
      if (!WIFSIGNALED(status)) _exit(WEXITSTATUS(status));
      std::signal(WTERMSIG(status), SIG_DFL);
      sigset_t its_own;
      sigemptyset(&its_own);
      sigaddset(&its_own, WTERMSIG(status));
      raise(WTERMSIG(status));
      sigprocmask(SIG_UNBLOCK, &its_own, nullptr);
      _exit(128 + WTERMSIG(status));  // a signal that is ignored by default
    }
    int signal = 0;
    if (sigwait(&signals, &signal) == 0 && signal != SIGCHLD) kill(child, signal);
  }
}

}  // namespace

void continue_in_child(const std::function<void()>& at_end) {
  sigset_t signals, before;
  sigemptyset(&signals);
  for (const int signal : {SIGCHLD, SIGHUP, SIGINT, SIGQUIT, SIGTERM, SIGUSR1, SIGUSR2, SIGCONT})
    sigaddset(&signals, signal);
  sigprocmask(SIG_BLOCK, &signals, &before);
  const pid_t guardian = getpid(), child = fork();
  if (child < 0) throw Error(fmt::format("no process to be had: {}", std::strerror(errno)));
  if (child > 0) guard(child, signals, at_end);
  sigprocmask(SIG_SETMASK, &before, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (getppid() != guardian) _exit(128 + SIGKILL);  // it died before the line above
}

}  // namespace sparkmpi::chroot
