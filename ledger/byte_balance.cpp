#include "ledger/byte_balance.hpp"

#include <algorithm>
#include <array>
#include <cmath>
#include <initializer_list>
#include <string_view>

namespace sparkmpi::ledger {
namespace {

/// One snapshot by field name.
class Fields {
 public:
  explicit Fields(std::span<const Reading> readings) : readings_(readings) {}

  std::optional<double> at(std::string_view field, std::string_view ledger = "meminfo.") const {
    const auto found = std::ranges::find_if(readings_, [&](const Reading& reading) {
      const std::string_view name = reading.name;
      return name.size() == ledger.size() + field.size() && name.starts_with(ledger) && name.ends_with(field);
    });
    if (found == readings_.end() || found->answer != Answer::value || std::isnan(found->value))
      return std::nullopt;
    return found->value;
  }

  double or_zero(std::string_view field) const { return at(field).value_or(0); }

 private:
  std::span<const Reading> readings_;
};

using Amount = std::optional<double>;

Amount page_cache(const Fields& fields) {
  const Amount cached = fields.at("Cached"), shmem = fields.at("Shmem");
  if (!cached || !shmem) return std::nullopt;
  return *cached + fields.or_zero("Buffers") - *shmem;
}

Amount other_reclaimable(const Fields& fields) {
  const Amount all = fields.at("KReclaimable"), slab = fields.at("SReclaimable");
  return all && slab ? Amount(*all - *slab) : std::nullopt;
}

Amount page_tables(const Fields& fields) {
  const Amount tables = fields.at("PageTables");
  return tables ? Amount(*tables + fields.or_zero("SecPageTables")) : std::nullopt;
}

/// Whether the stacks are part of VmallocUsed. A kernel that takes them from elsewhere can have more bytes of
/// stacks than of vmalloc; one that takes them from vmalloc cannot.
bool stacks_in_vmalloc(const Fields& fields) {
  return fields.or_zero("VmallocUsed") >= fields.or_zero("KernelStack");
}

struct Rule {
  std::string_view name, fields;
  Amount (*amount)(const Fields&);
  double sign = -1;  ///< what a byte of it does to MemFree
};

constexpr std::array<Rule, 11> kRules = {{
    {"anonymous", "AnonPages", [](const Fields& fields) { return fields.at("AnonPages"); }},
    {"page cache", "Cached + Buffers - Shmem", page_cache},
    {"shared memory", "Shmem", [](const Fields& fields) { return fields.at("Shmem"); }},
    {"slab", "Slab", [](const Fields& fields) { return fields.at("Slab"); }},
    {"kernel cache", "KReclaimable - SReclaimable", other_reclaimable},
    {"page tables", "PageTables + SecPageTables", page_tables},
    {"per-CPU", "Percpu", [](const Fields& fields) { return fields.at("Percpu"); }},
    {"CPU free lists", "zoneinfo.pcp_free",
     [](const Fields& fields) { return fields.at("pcp_free", "zoneinfo."); }},
    {"huge pages", "Hugetlb", [](const Fields& fields) { return fields.at("Hugetlb"); }},
    {"zswap", "Zswap", [](const Fields& fields) { return fields.at("Zswap"); }},
    {"memory size", "MemTotal", [](const Fields& fields) { return fields.at("MemTotal"); }, 1},
}};

class Balancer {
 public:
  explicit Balancer(ByteBalance& balance) : balance_(balance) {}

  void add(std::string_view name, std::string_view fields, Amount before, Amount after, double sign = -1) {
    if (!before || !after) {
      balance_.unanswered.emplace_back(name);
      return;
    }
    const double change = *after - *before;
    balance_.terms.push_back({std::string(name), std::string(fields), change == 0 ? 0 : sign * change});
  }

  void close() {
    balance_.residual = balance_.free_change;
    for (const BalanceTerm& term : balance_.terms) balance_.residual -= term.change;
  }

 private:
  ByteBalance& balance_;
};

/// Both from the same rule: one snapshot's rule alone would turn the stacks into a change.
void add_stacks_and_vmalloc(Balancer& balancer, const Fields& before, const Fields& after) {
  balancer.add("kernel stacks", "KernelStack", before.at("KernelStack"), after.at("KernelStack"));
  const bool inside = stacks_in_vmalloc(before) && stacks_in_vmalloc(after);
  const auto rest = [&](const Fields& fields) -> Amount {
    const Amount used = fields.at("VmallocUsed");
    return used && inside ? Amount(*used - fields.or_zero("KernelStack")) : used;
  };
  balancer.add("vmalloc", inside ? "VmallocUsed - KernelStack" : "VmallocUsed", rest(before), rest(after));
}

}  // namespace

std::optional<ByteBalance> byte_balance(std::span<const Reading> before, std::span<const Reading> after,
                                        const std::optional<DeviceShare>& device) {
  const Fields first(before), second(after);
  const Amount free_before = first.at("MemFree"), free_after = second.at("MemFree");
  if (!free_before || !free_after) return std::nullopt;
  ByteBalance balance;
  balance.free_change = *free_after - *free_before;
  Balancer balancer(balance);
  for (const Rule& rule : kRules)
    balancer.add(rule.name, rule.fields, rule.amount(first), rule.amount(second), rule.sign);
  add_stacks_and_vmalloc(balancer, first, second);
  if (device) balancer.add("device", "nvml.process_used", device->before, device->after);
  balancer.close();
  return balance;
}

}  // namespace sparkmpi::ledger
