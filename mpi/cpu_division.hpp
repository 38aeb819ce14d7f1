#pragma once
// How the ranks of a node share its cores. Pure: a topology in, sets of CPUs out.

#include <vector>

namespace sparkmpi::mpi {

/// One core: its hardware threads that this job may use, and the NUMA node it belongs to.
struct Core {
  std::vector<int> cpus;  ///< OS indices, never empty
  int numa_node = 0;
};

/// A rank's part of a node.
struct CpuShare {
  std::vector<int> cpus;  ///< one hardware thread a core, ascending
  std::vector<int> numa_nodes;
  bool shared = false;  ///< more ranks than cores: other ranks use these CPUs as well
};

/// Divides cores (in NUMA order) between `ranks`. While there are at least as many cores as ranks, each rank
/// gets whole cores of its own, one thread each, from as few NUMA nodes as possible: NUMA nodes are first
/// divided between the ranks in proportion to their cores, then each node's cores between its ranks. With
/// more ranks than cores they take turns.
/// @param cores not empty. @param ranks at least 1. The result has one share a local rank.
std::vector<CpuShare> divide_cpus(std::vector<Core> cores, int ranks);

}  // namespace sparkmpi::mpi
