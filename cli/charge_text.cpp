#include "cli/charge_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "cli/wrapped_text.hpp"
#include "kernels/charge/charge_record.hpp"
#include "kernels/charge/findings.hpp"

namespace sparkmpi::cli {
namespace {

using kernels::charge::Claim;
using kernels::charge::Matrix;
using kernels::charge::Observation;

constexpr std::string_view kKernel = "charge";
constexpr std::size_t kMostColumns = 7;  ///< 100 characters with the allocator's name
constexpr int kNameWidth = 16;

/// The columns that fit; more levels of a deep cgroup are left to `sparkmpi show --charges`.
std::vector<Claim> shown_columns(std::vector<Claim> claims) {
  while (claims.size() > kMostColumns) {
    const auto last_level = std::find_if(claims.rbegin(), claims.rend(), [](const Claim& claim) {
      return claim.ledger.starts_with("cgroup^");
    });
    if (last_level == claims.rend()) break;
    claims.erase(std::next(last_level).base());
  }
  claims.resize(std::min(claims.size(), kMostColumns));
  return claims;
}

std::string left_out(std::span<const Claim> claims, std::span<const Claim> shown) {
  std::string names;
  for (const Claim& claim : claims) {
    if (std::ranges::find(shown, claim.ledger, &Claim::ledger) == shown.end())
      names += (names.empty() ? "" : ", ") + claim.heading;
  }
  return names;
}

void print_matrix(std::FILE* out, const Matrix& matrix, std::span<const Claim> columns) {
  fmt::print(out, "  {:<{}}", "charged per byte", kNameWidth);
  for (const Claim& claim : columns) fmt::print(out, " {:>11}", claim.heading);
  fmt::print(out, "\n");
  for (const std::string& allocator : allocators_of(matrix)) {
    fmt::print(out, "  {:<{}}", allocator, kNameWidth);
    for (const Claim& claim : columns) fmt::print(out, " {:>11}", cell_text(matrix, allocator, claim.ledger));
    fmt::print(out, "\n");
  }
}

/// Each failure once, with how often it came.
void print_failures(std::FILE* out, std::span<const Observation> observations) {
  std::map<std::string, int> failures;
  for (const Observation& cell : observations) {
    if (!cell.error.empty()) ++failures[fmt::format("{}: {}", cell.allocator, cell.error)];
  }
  for (const auto& [line, times] : failures)
    print_wrapped(out, times == 1 ? line : fmt::format("{} ({} cells)", line, times), "  ", 4);
}

void print_rank(std::FILE* out, const results::KernelRecord& record) {
  const std::vector<Observation> observations = kernels::charge::stored_observations(record);
  const Matrix matrix = kernels::charge::charge_matrix(observations);
  const std::vector<Claim> claims = claims_of(matrix), columns = shown_columns(claims);
  if (!matrix.charges.empty()) {
    print_matrix(out, matrix, columns);
    if (columns.size() < claims.size())
      fmt::print(out, "  not shown here: {}; sparkmpi show FILE --charges has all\n",
                 left_out(claims, columns));
  }
  print_failures(out, observations);
  fmt::print(out, "\n");
  for (const std::string& allocator : allocators_of(matrix))
    print_wrapped(out, allocator_verdict(matrix, allocator, claims), "  ", 4);
  fmt::print(out, "\n");
  for (const std::string& line : cgroup_verdicts(matrix)) print_wrapped(out, line, "  ", 4);
  for (const std::string& line : remarks(matrix)) print_wrapped(out, line, "  ", 4);
  print_wrapped(out, "Does this environment double-count memory? " + double_counting(matrix), "  ", 4);
}

}  // namespace

void print_charge(std::FILE* out, const results::StoredKernel& kernel) {
  if (kernel.point.kernel != kKernel) return;
  for (std::size_t rank = 0; rank < kernel.ranks.size(); ++rank) {
    if (kernel.ranks.size() > 1) fmt::print(out, "  rank {}\n", rank);
    print_rank(out, kernel.ranks[rank]);
  }
}

Rows charge_rows(const results::ResultFile& file) {
  Rows rows{{"index", "rank", "host", "allocator", "step", "ledger", "slope", "half_width", "intercept_bytes",
             "cells", "verdict"},
            {}};
  for (const results::StoredKernel& kernel : file.kernels) {
    if (kernel.point.kernel != kKernel) continue;
    for (std::size_t rank = 0; rank < kernel.ranks.size(); ++rank) {
      const Matrix matrix =
          kernels::charge::charge_matrix(kernels::charge::stored_observations(kernel.ranks[rank]));
      const auto host = file.ranks.at(rank).facts.find("host");
      for (const kernels::charge::Charge& charge : matrix.charges) {
        rows.rows.push_back(
            {fmt::format("{}", kernel.point.index), fmt::format("{}", rank),
             host == file.ranks[rank].facts.end() ? "" : to_string(host->second), charge.allocator,
             charge.step, charge.ledger, fmt::format("{}", charge.slope.value),
             fmt::format("{}", charge.slope.half_width), fmt::format("{}", charge.slope.intercept),
             fmt::format("{}", charge.cells), std::string(to_string(charge.verdict))});
      }
    }
  }
  return rows;
}

}  // namespace sparkmpi::cli
