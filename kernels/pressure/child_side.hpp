#pragma once
// The sacrificial child: takes memory up to the sizes that its parent names, and reports after each.

#include <memory>
#include <optional>
#include <vector>

#include "kernels/child/parent_link.hpp"
#include "kernels/pressure/allocator.hpp"
#include "kernels/pressure/protocol.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::kernels::pressure {

/// Blocks that add up, touched in pieces between which the rules are looked at, so that memory that others
/// take meanwhile is noticed. A refused block is given back and what was held before stays.
class Holdings {
 public:
  /// @param ledgers outlives this.
  Holdings(const AllocatorInfo& allocator, const Rules& rules, ledger::LedgerSet& ledgers)
      : allocator_(allocator), rules_(rules), ledgers_(ledgers) {}

  /// Grows to `target` bytes in all.
  Report grow_to(std::uint64_t target);

 private:
  std::optional<Refusal> touch(Block& block, std::uint64_t bytes, double& touch_s);

  const AllocatorInfo& allocator_;
  Rules rules_;
  ledger::LedgerSet& ledgers_;
  std::vector<std::unique_ptr<Block>> blocks_;
  std::uint64_t held_ = 0;
};

/// Called by the hidden sub-command and by nobody else: serves until the parent closes the channel.
void run_child(child::ParentLink& parent, const AllocatorInfo& allocator, const ChildOptions& options);

}  // namespace sparkmpi::kernels::pressure
