#pragma once
// The narrow view of the World that a kernel is given. mpi/ implements it; tests use SoloCommunicator.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.hpp"

namespace sparkmpi::kernels {

/// Thrown out of barrier() on every other rank when one rank's kernel failed, so that nobody waits for it.
class PeerFailure : public Error {
 public:
  using Error::Error;
};

/// The same when a rank was interrupted (Ctrl-C) and has left the kernel: no failure, only an early end.
class PeerInterrupted : public Error {
 public:
  using Error::Error;
};

/// Ranks that work on one model together (tensor parallel). Every call is collective over the members.
class Group {
 public:
  virtual ~Group() = default;
  virtual int rank() const = 0;  ///< within the group
  virtual int size() const = 0;
  /// values[i] becomes the sum of all members' values[i], added in rank order: the same bits on every member
  /// and in every run. Throws PeerFailure when a member has left by an exception.
  virtual void sum(std::span<float> values) = 0;
  /// `root`'s bytes on every member. Throws as sum().
  virtual void broadcast(std::span<std::byte> bytes, int root) = 0;
  /// Not collective: throws PeerFailure when a member has left by an exception, and waits for nobody. For
  /// loops that wait for the members by other means.
  virtual void poll() = 0;
};

/// A group of one.
class SoloGroup final : public Group {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  void sum(std::span<float>) override {}
  void broadcast(std::span<std::byte>, int) override {}
  void poll() override {}
};

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual int rank() const = 0;
  virtual int size() const = 0;
  virtual int local_rank() const = 0;  ///< on this node
  virtual int local_size() const = 0;
  virtual int node() const = 0;  ///< index of this node, from 0 in rank order

  /// Waits until every rank has come to the same phase. Names the late rank when one does not come.
  /// @param phase what the ranks are about to do, for messages: "stream: timing".
  virtual void barrier(std::string_view phase) = 0;

  /// A barrier that also votes: true when every rank said true. Ranks that stop by a rule of their own agree
  /// by it, so that none of them measures while the others have gone quiet.
  virtual bool all_agree(std::string_view phase, bool mine) = 0;

  /// Divides the ranks into groups of `size` neighbours; collective over all ranks. `size` divides size().
  virtual std::unique_ptr<Group> group(int size) = 0;
};

/// A world of one, for tests and tools.
class SoloCommunicator final : public Communicator {
 public:
  int rank() const override { return 0; }
  int size() const override { return 1; }
  int local_rank() const override { return 0; }
  int local_size() const override { return 1; }
  int node() const override { return 0; }
  void barrier(std::string_view) override {}
  bool all_agree(std::string_view, bool mine) override { return mine; }
  std::unique_ptr<Group> group(int) override { return std::make_unique<SoloGroup>(); }
};

}  // namespace sparkmpi::kernels
