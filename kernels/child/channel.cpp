#include "kernels/child/channel.hpp"

#include <fmt/format.h>
#include <sys/socket.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"

namespace sparkmpi::kernels::child {
namespace {

constexpr std::uint32_t kLargestRecord = 64U << 20U;

void send_all(int descriptor, std::span<const std::uint8_t> bytes) {
  while (!bytes.empty()) {
    // Without MSG_NOSIGNAL a dead peer would be a SIGPIPE, and end this process too.
    const ssize_t sent = send(descriptor, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent <= 0)
      throw Error(fmt::format("the process at the other end of a channel is gone: {}", std::strerror(errno)));
    bytes = bytes.subspan(static_cast<std::size_t>(sent));
  }
}

}  // namespace

void send_record(int descriptor, std::span<const std::uint8_t> record) {
  if (record.size() > kLargestRecord)
    throw Error(fmt::format("a record of {} bytes is too long for a channel", record.size()));
  const auto length = static_cast<std::uint32_t>(record.size());
  Record whole(sizeof length + record.size());
  std::memcpy(whole.data(), &length, sizeof length);
  if (!record.empty()) std::memcpy(whole.data() + sizeof length, record.data(), record.size());
  send_all(descriptor, whole);
}

void RecordAssembler::add(std::span<const std::uint8_t> bytes) {
  received_.insert(received_.end(), bytes.begin(), bytes.end());
}

std::optional<Record> RecordAssembler::next() {
  std::uint32_t length = 0;
  if (received_.size() < sizeof length) return std::nullopt;
  std::memcpy(&length, received_.data(), sizeof length);
  if (length > kLargestRecord) throw Error("the child process sent what is no record");
  if (received_.size() - sizeof length < length) return std::nullopt;
  const auto begin = received_.begin() + sizeof length;
  Record record(begin, begin + length);
  received_.erase(received_.begin(), begin + length);
  return record;
}

}  // namespace sparkmpi::kernels::child
