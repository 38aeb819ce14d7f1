#pragma once
// The messages of the phase barrier: plain bytes, well under every transport's eager limit.

#include <array>
#include <cstdint>
#include <string_view>
#include <type_traits>

namespace sparkmpi::mpi {

/// Text in a message: cut where it does not fit, always terminated.
template <std::size_t size>
class FixedText {
 public:
  FixedText() = default;
  FixedText(std::string_view text) {  // NOLINT(google-explicit-constructor): stands where a string stands
    const std::size_t length = text.size() < size ? text.size() : size - 1;
    for (std::size_t i = 0; i < length; ++i) bytes_[i] = text[i];
  }
  std::string_view view() const { return bytes_.data(); }

 private:
  std::array<char, size> bytes_{};
};

/// A rank has come to a phase. A section is what lies between two ends (a kernel's run; a step of the
/// runner); its phases are the barriers inside it.
struct Arrival {
  std::uint64_t section = 0;
  std::uint64_t phase = 0;  ///< how many barriers of this section the rank had passed
  std::int32_t signal = 0;  ///< the signal that asks to stop, 0: none
  bool end = false;         ///< at the section's end: the rank will come to no more of its phases
  bool vote = true;
  bool failed = false;  ///< only at the end: this rank's part failed, for the reason in `text`
  bool usage = false;   ///< the failure is a UsageError
  FixedText<96> name;
  FixedText<448> text;
};

enum class ReleaseKind : std::uint8_t {
  go,           ///< every rank has come
  peer_failed,  ///< a rank failed and will not come: go to the section's end
  peer_left,    ///< a rank was interrupted and will not come: go to the section's end
  notice,       ///< rank 0 is here and waits too
};

struct Release {
  ReleaseKind kind = ReleaseKind::go;
  bool vote = true;
  bool usage = false;
  std::int32_t signal = 0;
  std::int32_t failed_rank = -1;  ///< the first rank that failed in this section, -1: none
  FixedText<448> text;            ///< its reason
};

static_assert(std::is_trivially_copyable_v<Arrival> && std::is_trivially_copyable_v<Release>,
              "sent as bytes");

}  // namespace sparkmpi::mpi
