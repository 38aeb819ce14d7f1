#pragma once
// Who has come to which phase, kept by rank 0: decides who may go on and with what news. No MPI: tests drive
// it.

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "mpi/arrival.hpp"

namespace sparkmpi::mpi {

class ArrivalBook {
 public:
  struct Reply {
    int rank;
    Release release;
  };
  struct Late {
    int rank;
    std::string last_phase;  ///< the last phase it came to; empty: none yet
  };

  explicit ArrivalBook(int ranks);

  /// Notes an arrival (rank 0's own too) and returns every release that follows from it. A release to all
  /// ends with rank 0's. Rules: all at one phase go on together. When a rank is at the section's end having
  /// failed, whoever is or comes to a phase inside the section gets peer_failed; having been interrupted,
  /// peer_left. Anything else that does not match is an internal error of the program, which is treated as
  /// the failure of the rank that strayed.
  std::vector<Reply> arrive(int rank, const Arrival& arrival);

  bool somebody_waits() const;
  bool waits(int rank) const { return waiting_[static_cast<std::size_t>(rank)].has_value(); }
  /// The phase in which the late ones are wanted; empty when nobody waits.
  std::string_view wanted_phase() const;
  std::vector<Late> late() const;

 private:
  void note(int rank, const Arrival& arrival);
  void find_strays();
  bool all_wait() const;
  void fail(int rank, bool usage, std::string_view text);
  Release release(ReleaseKind kind) const;

  std::vector<std::optional<Arrival>> waiting_;
  std::vector<std::string> last_phase_;
  std::uint64_t section_ = 0;
  std::int32_t signal_ = 0;
  int failed_rank_ = -1;
  bool usage_ = false;
  std::string text_;
};

}  // namespace sparkmpi::mpi
