#include "kernels/child/parent_link.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>

#include "base/error.hpp"

namespace sparkmpi::kernels::child {
namespace {

/// Raising one's own score needs no privilege.
void offer_to_the_oom_killer() {
  constexpr std::string_view kMost = "1000";
  const int file = open("/proc/self/oom_score_adj", O_WRONLY | O_CLOEXEC);
  const bool written = file >= 0 && write(file, kMost.data(), kMost.size()) == ssize_t{kMost.size()};
  const int problem = errno;
  if (file >= 0) close(file);
  if (!written)
    throw Error(fmt::format("/proc/self/oom_score_adj: {}; without it the kernel might kill another process",
                            std::strerror(problem)));
}

}  // namespace

ParentLink::ParentLink(pid_t parent) {
  int type = 0;
  socklen_t length = sizeof type;
  if (getsockopt(kChannelDescriptor, SOL_SOCKET, SO_TYPE, &type, &length) != 0)
    throw Error("this sub-command is started by sparkmpi itself");
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
    throw Error(fmt::format("prctl(PR_SET_PDEATHSIG): {}", std::strerror(errno)));
  // After prctl: a parent that died before it sent no signal.
  if (getppid() != parent) throw Error("the parent of this process is gone");
  offer_to_the_oom_killer();
}

std::optional<Record> ParentLink::receive() {
  std::array<std::uint8_t, 4096> chunk{};
  while (true) {
    if (auto record = assembler_.next()) return record;
    const ssize_t got = recv(kChannelDescriptor, chunk.data(), chunk.size(), 0);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) return std::nullopt;
    assembler_.add({chunk.data(), static_cast<std::size_t>(got)});
  }
}

}  // namespace sparkmpi::kernels::child
