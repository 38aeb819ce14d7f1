#pragma once
// The byte balances of a stored point: for each node, from before the kernel to each of its later moments.

#include <string>
#include <vector>

#include "ledger/byte_balance.hpp"
#include "results/reader.hpp"

namespace sparkmpi::results {

struct NodeBalance {
  std::int64_t node = 0;
  std::size_t rank = 0;     ///< whose snapshots these are: the node's first rank, since meminfo is the node's
  std::string from, to;     ///< moments
  bool least_free = false;  ///< `to` is the named moment between the two ends with the least MemFree
  ledger::ByteBalance balance;
};

/// In the order of nodes and moments. Where a rank drives an integrated GPU, whose memory is the host's,
/// nvml.process_used of all the node's ranks is a term. A node whose first rank has no "before" is left out.
std::vector<NodeBalance> node_balances(const ResultFile& file, const StoredKernel& kernel);

}  // namespace sparkmpi::results
