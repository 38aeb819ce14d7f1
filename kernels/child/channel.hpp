#pragma once
// Records between a process and its child: a length and that many bytes, in both directions of one socket.

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

namespace sparkmpi::kernels::child {

using Record = std::vector<std::uint8_t>;

/// Sends one record whole. Throws Error when nobody is at the other end any more.
void send_record(int descriptor, std::span<const std::uint8_t> record);

/// Puts what arrives in pieces together to records again. A peer that dies loses only the record that it was
/// sending.
class RecordAssembler {
 public:
  void add(std::span<const std::uint8_t> bytes);
  /// The next whole record, in the order of sending. Throws Error when the bytes are none of send_record().
  std::optional<Record> next();

 private:
  std::vector<std::uint8_t> received_;
};

}  // namespace sparkmpi::kernels::child
