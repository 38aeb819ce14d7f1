#include "results/memory_balance.hpp"

#include <algorithm>
#include <limits>
#include <map>
#include <variant>

namespace sparkmpi::results {
namespace {

using ledger::Answer;
using ledger::Reading;
using ledger::Snapshot;

const Snapshot* find_moment(const KernelRecord& record, const std::string& moment) {
  const auto found = std::ranges::find(record.snapshots, moment, &Snapshot::moment);
  return found == record.snapshots.end() ? nullptr : &*found;
}

std::optional<double> value_of(const Snapshot* snapshot, const char* name) {
  if (snapshot == nullptr) return std::nullopt;
  const auto found = std::ranges::find(snapshot->readings, name, &Reading::name);
  if (found == snapshot->readings.end() || found->answer != Answer::value) return std::nullopt;
  return found->value;
}

bool shares_the_pool(const RankInfo& rank) {
  const auto model = rank.facts.find("memory_model");
  return model != rank.facts.end() && to_string(model->second) == "integrated";
}

/// What all ranks of a node hold on their GPUs at a moment; nothing when one of them can't say.
std::optional<double> device_bytes(const StoredKernel& kernel, const std::vector<std::size_t>& ranks,
                                   const std::string& moment) {
  double sum = 0;
  for (const std::size_t rank : ranks) {
    const auto used = value_of(find_moment(kernel.ranks[rank], moment), "nvml.process_used");
    if (!used) return std::nullopt;
    sum += *used;
  }
  return sum;
}

void mark_least_free(std::vector<NodeBalance>& balances, std::size_t first) {
  const auto inner =
      std::ranges::subrange(balances.begin() + static_cast<std::ptrdiff_t>(first), balances.end());
  const auto least = std::ranges::min_element(inner, {}, [](const NodeBalance& each) {
    return each.to == "after" ? std::numeric_limits<double>::infinity() : each.balance.free_change;
  });
  if (least != inner.end() && least->to != "after") least->least_free = true;
}

}  // namespace

std::vector<NodeBalance> node_balances(const ResultFile& file, const StoredKernel& kernel) {
  std::map<std::int64_t, std::vector<std::size_t>> nodes;
  for (std::size_t rank = 0; rank < std::min(kernel.ranks.size(), file.ranks.size()); ++rank) {
    const auto node = file.ranks[rank].facts.find("node");
    if (node == file.ranks[rank].facts.end()) continue;
    if (const auto* number = std::get_if<std::int64_t>(&node->second)) nodes[*number].push_back(rank);
  }
  std::vector<NodeBalance> balances;
  for (const auto& [node, ranks] : nodes) {
    const KernelRecord& record = kernel.ranks[ranks.front()];
    const Snapshot* const before = find_moment(record, "before");
    if (before == nullptr) continue;
    const bool shared = shares_the_pool(file.ranks[ranks.front()]);
    const std::size_t first = balances.size();
    for (const Snapshot& snapshot : record.snapshots) {
      if (snapshot.moment == "before") continue;
      std::optional<ledger::DeviceShare> device;
      if (shared)
        device = {device_bytes(kernel, ranks, "before"), device_bytes(kernel, ranks, snapshot.moment)};
      if (auto balance = ledger::byte_balance(before->readings, snapshot.readings, device))
        balances.push_back({node, ranks.front(), "before", snapshot.moment, false, std::move(*balance)});
    }
    mark_least_free(balances, first);
  }
  return balances;
}

}  // namespace sparkmpi::results
