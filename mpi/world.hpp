#pragma once
// MPI as the rest of the program sees it: started, checked, divided into nodes, and ended.

#include <mpi.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/communicator.hpp"
#include "mpi/interruption.hpp"
#include "mpi/phase_barrier.hpp"

namespace sparkmpi::mpi {

/// One for the program's life. Initialises MPI (FUNNELED: only the main thread calls it), turns error codes
/// into MpiError, and refuses a world that contradicts its launcher (launcher_check.hpp).
class World final : public kernels::Communicator {
 public:
  World(int& argc, char**& argv);
  ~World() override;
  World(const World&) = delete;             ///< owns MPI's state
  World& operator=(const World&) = delete;  ///< owns MPI's state

  int rank() const override { return rank_; }
  int size() const override { return size_; }
  int local_rank() const override { return local_rank_; }
  int local_size() const override { return local_size_; }
  int node() const override { return node_; }
  int node_count() const { return node_count_; }
  const std::string& host() const { return host_; }
  /// "rank 3 (nodeb)", for any rank.
  std::string describe(int rank) const;
  /// The first line of MPI_Get_library_version, e.g. "Open MPI v4.1.4, …".
  static std::string library_version();

  /// Barriers of a kernel: they throw PeerFailure when another rank's kernel has failed, and PeerInterrupted
  /// when one has left it on request.
  void barrier(std::string_view phase) override;
  bool all_agree(std::string_view phase, bool mine) override;
  std::unique_ptr<kernels::Group> group(int size) override;

  /// The end of a section, for every rank, however it got there; never throws for a failed rank, the result
  /// says it.
  PhaseResult end_section(std::string_view phase, bool vote, bool failed);

  Interruption& interruption() { return interruption_; }
  void set_watchdog(WatchdogOptions watchdog) { barrier_->set_watchdog(watchdog); }

  /// Every rank's bytes, in rank order, on rank 0; empty elsewhere. Moves any size in pieces of at most 1
  /// GiB.
  std::vector<std::vector<std::uint8_t>> gather(std::span<const std::uint8_t> mine);
  /// The same among the ranks of this node, on every one of them.
  std::vector<std::vector<std::uint8_t>> gather_on_node(std::span<const std::uint8_t> mine);
  /// One rank's text on every rank.
  std::string broadcast(const std::string& text, int root = 0);

  /// Runs a step that every rank takes and any may fail at. When one does, all throw what the lowest failing
  /// rank threw (UsageError or Error), so that the program ends with one message. @param phase for the
  /// barrier at its end.
  void together(std::string_view phase, const std::function<void()>& step);

  /// Ends every rank at once, for errors that leave the ranks out of step. Does not return.
  [[noreturn]] void abort(int status);

 private:
  class Session;  ///< MPI_Init … MPI_Finalize
  std::unique_ptr<Session> session_;
  MPI_Comm world_ = MPI_COMM_NULL, local_ = MPI_COMM_NULL, phases_ = MPI_COMM_NULL;
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1, node_ = 0, node_count_ = 1;
  std::string host_;
  std::vector<std::string> hosts_;  ///< of every rank
  Interruption interruption_;
  std::optional<PhaseResult> early_end_;  ///< this section is over, as a barrier inside it has found
  std::unique_ptr<PhaseBarrier> barrier_;
};

}  // namespace sparkmpi::mpi
