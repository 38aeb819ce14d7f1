#include "mpi/cpu_division.hpp"

#include <algorithm>
#include <map>

namespace sparkmpi::mpi {
namespace {

CpuShare share_of(const std::vector<Core>& cores, std::size_t begin, std::size_t end) {
  CpuShare share;
  for (std::size_t i = begin; i < end; ++i) {
    share.cpus.push_back(cores[i].cpus.front());
    share.numa_nodes.push_back(cores[i].numa_node);
  }
  std::ranges::sort(share.cpus);
  std::ranges::sort(share.numa_nodes);
  const auto repeated = std::ranges::unique(share.numa_nodes);
  share.numa_nodes.erase(repeated.begin(), repeated.end());
  return share;
}

/// Ranks for each NUMA node in proportion to its cores (largest remainder), never more than it has cores.
std::vector<int> ranks_by_node(const std::vector<std::vector<Core>>& nodes, std::size_t cores, int ranks) {
  std::vector<int> given(nodes.size());
  int left = ranks;
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    given[i] = static_cast<int>(nodes[i].size() * static_cast<std::size_t>(ranks) / cores);
    left -= given[i];
  }
  while (left > 0) {
    // The node whose cores would be shared by the fewest ranks takes the next one.
    const auto load = [&](std::size_t i) {
      return static_cast<double>(given[i] + 1) / static_cast<double>(nodes[i].size());
    };
    std::size_t best = nodes.size();
    for (std::size_t i = 0; i < nodes.size(); ++i) {
      if (given[i] >= static_cast<int>(nodes[i].size())) continue;
      if (best == nodes.size() || load(i) < load(best)) best = i;
    }
    ++given[best];
    --left;
  }
  return given;
}

}  // namespace

std::vector<CpuShare> divide_cpus(std::vector<Core> cores, int ranks) {
  std::ranges::stable_sort(cores, {}, &Core::numa_node);
  const auto count = static_cast<std::size_t>(ranks);
  std::vector<CpuShare> shares;
  if (count > cores.size()) {
    for (std::size_t rank = 0; rank < count; ++rank) {
      shares.push_back(share_of(cores, rank % cores.size(), rank % cores.size() + 1));
      shares.back().shared = true;
    }
    return shares;
  }
  std::map<int, std::vector<Core>> by_node;
  for (const Core& core : cores) by_node[core.numa_node].push_back(core);
  if (count < by_node.size()) {
    // Fewer ranks than NUMA nodes: each takes whole neighbouring nodes' worth of cores.
    for (std::size_t rank = 0; rank < count; ++rank) {
      shares.push_back(share_of(cores, cores.size() * rank / count, cores.size() * (rank + 1) / count));
    }
    return shares;
  }
  std::vector<std::vector<Core>> nodes;
  for (auto& [index, members] : by_node) nodes.push_back(std::move(members));
  const std::vector<int> given = ranks_by_node(nodes, cores.size(), ranks);
  for (std::size_t i = 0; i < nodes.size(); ++i) {
    const auto sharers = static_cast<std::size_t>(given[i]);
    for (std::size_t rank = 0; rank < sharers; ++rank) {
      shares.push_back(
          share_of(nodes[i], nodes[i].size() * rank / sharers, nodes[i].size() * (rank + 1) / sharers));
    }
  }
  return shares;
}

}  // namespace sparkmpi::mpi
