#include "cli/memory_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/bytes.hpp"
#include "cli/wrapped_text.hpp"
#include "results/memory_balance.hpp"
#include "results/quantity.hpp"

namespace sparkmpi::cli {
namespace {

using results::format_quantity;
using results::KernelRecord;
using results::NodeBalance;

constexpr double kSmall = 1024.0 * 1024;  ///< terms below it share a row
constexpr std::size_t kMostNodes = 4, kMostDuplicates = 4;

std::string fact(const KernelRecord& record, std::string_view name) {
  const auto found = record.facts.find(name);
  return found == record.facts.end() ? std::string() : to_string(found->second);
}

double number_fact(const KernelRecord& record, std::string_view name) {
  const auto found = record.facts.find(name);
  const auto* const number = found == record.facts.end() ? nullptr : std::get_if<double>(&found->second);
  return number == nullptr ? std::nan("") : *number;
}

std::vector<std::string> labels_of(const KernelRecord& record, std::string_view name) {
  const auto found = std::ranges::find(record.labels, name, &results::Labels::name);
  return found == record.labels.end() ? std::vector<std::string>() : found->values;
}

std::vector<double> series_of(const KernelRecord& record, std::string_view metric) {
  const auto found = std::ranges::find(record.series, metric, &results::Series::metric);
  return found == record.series.end() ? std::vector<double>() : found->values;
}

std::string bytes(double value) {
  return format_quantity(value, "B");
}

/// "+1.00 GiB", "-17.0 MiB".
std::string signed_bytes(double value) {
  if (std::isnan(value)) return "-";
  return fmt::format("{}{}", value < 0 ? "-" : value > 0 ? "+" : "", format_bytes(std::abs(value)));
}

void print_state(std::FILE* out, const KernelRecord& record) {
  const std::string requested = fact(record, "cache_state_requested");
  const bool verified = fact(record, "cache_state_verified") == "1";
  if (requested.empty() || (requested == "keep" && verified)) return;
  const std::string note = fact(record, "cache_state_note");
  std::string text = fmt::format("cache: {}, {} ({})", requested, verified ? "verified" : "NOT VERIFIED",
                                 fact(record, "cache_state_method"));
  if (number_fact(record, "cache_files_bytes") > 0)
    text += fmt::format(", {} of {} resident, {} before",
                        bytes(number_fact(record, "cache_resident_after_bytes")),
                        bytes(number_fact(record, "cache_files_bytes")),
                        bytes(number_fact(record, "cache_resident_before_bytes")));
  if (!note.empty()) text += ": " + note;
  print_wrapped(out, text, "  ");
}

void print_duplicates(std::FILE* out, const KernelRecord& record) {
  const std::vector<std::string> paths = labels_of(record, "file_path"),
                                 originals = labels_of(record, "file_duplicate_of");
  const std::vector<double> resident = series_of(record, "file_resident_end_bytes");
  std::size_t shown = 0, found = 0;
  for (std::size_t i = 0; i < std::min({paths.size(), originals.size(), resident.size()}); ++i) {
    if (originals[i].empty()) continue;
    ++found;
    if (shown == kMostDuplicates) continue;
    ++shown;
    print_wrapped(out,
                  fmt::format("cached twice: {} has the content of {}, {} resident", paths[i], originals[i],
                              bytes(resident[i])),
                  "  ");
  }
  if (found > shown) fmt::print(out, "  cached twice: and {} files more\n", found - shown);
}

/// The balances of one node that are shown: to the least MemFree, and to the end.
std::vector<const NodeBalance*> columns_of(const std::vector<NodeBalance>& balances, std::int64_t node,
                                           bool all) {
  std::vector<const NodeBalance*> columns;
  for (const NodeBalance& each : balances) {
    if (each.node == node && (all || each.to == "after" || each.least_free)) columns.push_back(&each);
  }
  return columns;
}

double change_of(const NodeBalance& column, const std::string& term) {
  const auto found = std::ranges::find(column.balance.terms, term, &ledger::BalanceTerm::name);
  return found == column.balance.terms.end() ? std::nan("") : found->change;
}

void print_row(std::FILE* out, std::string_view name, const std::vector<double>& values) {
  std::string line = fmt::format("  {:<27}", name);
  for (const double value : values) line += fmt::format(" {:>16}", signed_bytes(value));
  fmt::print(out, "{}\n", line);
}

void print_node(std::FILE* out, const std::vector<const NodeBalance*>& columns, bool all) {
  std::string head = fmt::format("  {:<27}", fmt::format("MemFree by field, node {}", columns.front()->node));
  for (const NodeBalance* column : columns) head += fmt::format(" {:>16.16}", "to " + column->to);
  fmt::print(out, "{}\n", head);
  const auto row = [&](std::string_view name, auto&& value) {
    std::vector<double> values;
    values.reserve(columns.size());
    for (const NodeBalance* column : columns) values.push_back(value(*column));
    print_row(out, name, values);
  };
  row("MemFree", [](const NodeBalance& column) { return column.balance.free_change; });
  std::vector<double> small(columns.size(), 0);
  std::size_t small_terms = 0;
  for (const ledger::BalanceTerm& term : columns.front()->balance.terms) {
    const bool large = std::ranges::any_of(columns, [&](const NodeBalance* column) {
      return std::abs(change_of(*column, term.name)) >= kSmall;
    });
    if (large || all) {
      row("  " + term.name, [&](const NodeBalance& column) { return change_of(column, term.name); });
      continue;
    }
    ++small_terms;
    for (std::size_t i = 0; i < columns.size(); ++i) small[i] += change_of(*columns[i], term.name);
  }
  if (small_terms > 0) print_row(out, fmt::format("  {} fields below 1 MiB", small_terms), small);
  row("  residual", [](const NodeBalance& column) { return column.balance.residual; });
}

/// The series of `kv_budget` as one rank recorded them.
struct BudgetTable {
  std::vector<std::string> rules, pools, states;
  std::vector<double> bytes, tokens, change, injected;
  std::vector<double> requests, contexts, of_budget;

  explicit BudgetTable(const KernelRecord& record)
      : rules(labels_of(record, "budget_rule")),
        pools(labels_of(record, "budget_pool")),
        states(labels_of(record, "budget_status")),
        bytes(series_of(record, "kv_budget_bytes")),
        tokens(series_of(record, "kv_budget_tokens")),
        change(series_of(record, "kv_budget_change_bytes")),
        injected(series_of(record, "budget_injected_bytes")),
        requests(series_of(record, "concurrent_requests")),
        contexts(series_of(record, "context_tokens")),
        of_budget(series_of(record, "capacity_budget")) {}

  bool whole() const {
    const std::size_t rows = bytes.size();
    return rows > 0 && rules.size() == rows && pools.size() == rows && states.size() == rows &&
           tokens.size() == rows && change.size() == rows && injected.size() == rows &&
           contexts.size() == requests.size() && of_budget.size() == requests.size();
  }
  /// Rows of one state of the page cache; they come first.
  std::size_t rules_and_pools() const {
    return static_cast<std::size_t>(std::ranges::count(injected, injected.front()));
  }
};

std::string row_of(const BudgetTable& table, std::size_t row) {
  const std::string name = fmt::format("  {:<13}{:<7}", table.pools[row], table.rules[row]);
  if (std::isnan(table.bytes[row])) return name + fmt::format(" {:>10}", table.states[row]);
  if (table.states[row] == "no room")
    return name + fmt::format(" {:>10}: {} are missing beside the weights", table.states[row],
                              bytes(-table.bytes[row]));
  std::string text = name + fmt::format(" {:>10} {:>9.0f}", bytes(table.bytes[row]), table.tokens[row]);
  for (std::size_t i = 0; i < table.requests.size(); ++i) {
    if (table.of_budget[i] == static_cast<double>(row)) text += fmt::format(" {:>6.0f}", table.requests[i]);
  }
  const std::size_t step = table.rules_and_pools();
  for (std::size_t later = row + step; later < table.bytes.size(); later += step) {
    const bool answered = !std::isnan(table.change[later]);
    text += fmt::format(" {:>11}", answered ? signed_bytes(table.change[later]) : table.states[later]);
  }
  return text;
}

}  // namespace

void print_cache_state(std::FILE* out, const results::StoredKernel& kernel) {
  for (const KernelRecord& record : kernel.ranks) {
    print_state(out, record);
    print_duplicates(out, record);
  }
}

void print_balances(std::FILE* out, const results::ResultFile& file, const results::StoredKernel& kernel,
                    bool all) {
  const std::vector<NodeBalance> balances = results::node_balances(file, kernel);
  std::vector<std::int64_t> nodes;
  for (const NodeBalance& each : balances) {
    if (nodes.empty() || nodes.back() != each.node) nodes.push_back(each.node);
  }
  for (std::size_t i = 0; i < nodes.size() && (all || i < kMostNodes); ++i) {
    const auto columns = columns_of(balances, nodes[i], all);
    if (!columns.empty()) print_node(out, columns, all);
  }
  if (!all && nodes.size() > kMostNodes)
    fmt::print(out, "  and {} nodes more (--all)\n", nodes.size() - kMostNodes);
}

Rows balance_rows(const results::ResultFile& file) {
  Rows rows{{"index", "kernel", "node", "rank", "from", "to", "term", "fields", "bytes"}, {}};
  for (const results::StoredKernel& kernel : file.kernels) {
    for (const NodeBalance& each : results::node_balances(file, kernel)) {
      const auto add = [&](const std::string& term, const std::string& fields, const std::string& value) {
        rows.rows.push_back({fmt::format("{}", kernel.point.index), kernel.point.kernel,
                             fmt::format("{}", each.node), fmt::format("{}", each.rank), each.from, each.to,
                             term, fields, value});
      };
      add("free change", "MemFree", fmt::format("{:.0f}", each.balance.free_change));
      for (const ledger::BalanceTerm& term : each.balance.terms)
        add(term.name, term.fields, fmt::format("{:.0f}", term.change));
      for (const std::string& term : each.balance.unanswered) add(term, "", "no answer");
      add("residual", "", fmt::format("{:.0f}", each.balance.residual));
    }
  }
  return rows;
}

void print_kv_budgets(std::FILE* out, const results::StoredKernel& kernel, std::size_t rank) {
  if (kernel.point.kernel != "kv_budget") return;
  const BudgetTable table(kernel.ranks.at(rank));
  if (!table.whole()) return;
  std::string head =
      fmt::format("  {:<20} {:>10} {:>9}", fmt::format("KV budget (rank {})", rank), "bytes", "tokens");
  for (std::size_t i = 0; i < table.contexts.size() && table.of_budget[i] == 0; ++i)
    head += fmt::format(" {:>6}", fmt::format("@{:.0f}K", table.contexts[i] / 1024));
  const std::size_t step = table.rules_and_pools();
  for (std::size_t row = step; row < table.injected.size(); row += step)
    head += fmt::format(" {:>11}", "+" + format_bytes(table.injected[row]));
  fmt::print(out, "{}\n", head);
  for (std::size_t row = 0; row < step; ++row) {
    if (table.states[row] != "no answer") {
      fmt::print(out, "{}\n", row_of(table, row));
    } else if (row == 0 || table.pools[row] != table.pools[row - 1]) {
      fmt::print(out, "  {:<13}{:<7} {:>10}\n", table.pools[row], "all", table.states[row]);
    }
  }
}

}  // namespace sparkmpi::cli
