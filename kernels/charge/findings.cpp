#include "kernels/charge/findings.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "kernels/charge/allocator.hpp"

namespace sparkmpi::kernels::charge {
namespace {

using Names = std::vector<std::string>;

std::string joined(const Names& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

/// "malloc, memfd", or how many when they are many.
std::string few(const Names& names) {
  constexpr std::size_t kMost = 3;
  return names.size() <= kMost ? joined(names) : fmt::format("{} allocators", names.size());
}

const Charge* settled(const Matrix& matrix, std::string_view allocator, std::string_view ledger) {
  return matrix.find(allocator, settled_step(matrix, allocator), ledger);
}

ledger::Answer answer_of(const Matrix& matrix, std::string_view ledger) {
  const auto found = std::ranges::find(matrix.ledgers, ledger, &LedgerNoise::ledger);
  return found == matrix.ledgers.end() ? ledger::Answer::absent : found->answer;
}

bool is_cgroup_usage(std::string_view ledger) {
  return ledger.starts_with("cgroup") && ledger.ends_with(".current");
}

/// The allocators by what a ledger makes of them.
std::map<Verdict, Names> by_verdict(const Matrix& matrix, std::string_view ledger) {
  std::map<Verdict, Names> groups;
  for (const std::string& allocator : allocators_of(matrix)) {
    if (const Charge* charge = settled(matrix, allocator, ledger))
      groups[charge->verdict].push_back(allocator);
  }
  return groups;
}

}  // namespace

std::vector<Claim> claims_of(const Matrix& matrix) {
  constexpr std::array<std::pair<const char*, const char*>, 3> kHost = {
      {{"status.VmRSS", "RSS"}, {"meminfo.MemFree", "MemFree"}, {"meminfo.MemAvailable", "MemAvail"}}};
  constexpr std::array<std::pair<const char*, const char*>, 3> kDevice = {
      {{"cuda.used", "cuda"}, {"nvml.device_used", "nvml"}, {"nvml.process_used", "nvml proc"}}};
  std::vector<Claim> claims;
  const auto add = [&](const std::string& ledger, const std::string& heading) {
    if (answer_of(matrix, ledger) != ledger::Answer::absent) claims.push_back({ledger, heading});
  };
  for (const auto& [ledger, heading] : kHost) add(ledger, heading);
  for (const LedgerNoise& known : matrix.ledgers) {
    if (is_cgroup_usage(known.ledger)) add(known.ledger, known.ledger.substr(0, known.ledger.find('.')));
  }
  for (const auto& [ledger, heading] : kDevice) add(ledger, heading);
  return claims;
}

std::size_t count_claims(const Matrix& matrix, Verdict verdict) {
  std::size_t count = 0;
  for (const Claim& claim : claims_of(matrix)) count += by_verdict(matrix, claim.ledger)[verdict].size();
  return count;
}

std::string cell_text(const Matrix& matrix, std::string_view allocator, std::string_view ledger) {
  const Charge* const charge = settled(matrix, allocator, ledger);
  if (charge == nullptr || std::isnan(charge->slope.value)) {
    const ledger::Answer answer = answer_of(matrix, ledger);
    return answer == ledger::Answer::not_supported   ? "n/s"
           : answer == ledger::Answer::not_permitted ? "denied"
                                                     : "-";
  }
  // Adding 0 turns -0.00 into 0.00.
  const double value = std::round(charge->slope.value * 100) / 100 + 0.0;
  if (charge->slope.half_width < 9.995) return fmt::format("{:.2f} ±{:.2f}", value, charge->slope.half_width);
  return fmt::format("{:.2f} ±?", value);
}

std::string allocator_verdict(const Matrix& matrix, std::string_view allocator,
                              std::span<const Claim> claims) {
  std::map<Verdict, Names> groups;
  for (const Claim& claim : claims) {
    if (const Charge* charge = settled(matrix, allocator, claim.ledger))
      groups[charge->verdict].push_back(claim.heading);
  }
  constexpr std::array<std::pair<Verdict, const char*>, 4> kWords = {
      {{Verdict::double_counted, "DOUBLE-COUNTED by "},
       {Verdict::counted, "counted by "},
       {Verdict::uncounted, "not by "},
       {Verdict::indeterminate, "indeterminate: "}}};
  Names parts;
  for (const auto& [verdict, words] : kWords) {
    if (!groups[verdict].empty()) parts.push_back(words + joined(groups[verdict]));
  }
  return fmt::format("{}: {}", allocator,
                     parts.empty() ? "no ledger answered" : fmt::format("{}", fmt::join(parts, "; ")));
}

std::vector<std::string> cgroup_verdicts(const Matrix& matrix) {
  std::vector<std::string> lines;
  for (const LedgerNoise& known : matrix.ledgers) {
    if (!is_cgroup_usage(known.ledger) || known.answer != ledger::Answer::value) continue;
    std::map<Verdict, Names> groups = by_verdict(matrix, known.ledger);
    Names parts;
    const auto add = [&](Verdict verdict, std::string_view words) {
      if (!groups[verdict].empty()) parts.push_back(fmt::format("{}: {}", words, joined(groups[verdict])));
    };
    add(Verdict::double_counted, "counts TWICE");
    add(Verdict::counted, "counts once");
    add(Verdict::uncounted, "does not count");
    add(Verdict::indeterminate, "can't be told");
    lines.push_back(fmt::format("{} {}", known.ledger, fmt::join(parts, "; ")));
  }
  return lines;
}

std::string double_counting(const Matrix& matrix) {
  if (matrix.charges.empty()) return "Can't be told: nothing was measured.";
  if (!matrix.broken.empty())
    return fmt::format("No verdict: a control fails, so the instrument does not work here: {}.",
                       matrix.broken);
  Names twice, unclear;
  bool cgroup = false;
  for (const Claim& claim : claims_of(matrix)) {
    std::map<Verdict, Names> groups = by_verdict(matrix, claim.ledger);
    cgroup = cgroup || (is_cgroup_usage(claim.ledger) && !groups[Verdict::counted].empty());
    if (const Names& names = groups[Verdict::double_counted]; !names.empty())
      twice.push_back(fmt::format("{} counts {} twice", claim.ledger, joined(names)));
    if (const Names& names = groups[Verdict::indeterminate]; !names.empty())
      unclear.push_back(fmt::format("{} for {}", claim.ledger, few(names)));
  }
  std::string text =
      twice.empty() ? "No: no ledger counts memory twice" : fmt::format("Yes: {}", fmt::join(twice, "; "));
  if (twice.empty() && !unclear.empty())
    text = "No, as far as could be told: no ledger is seen to count twice";
  if (!unclear.empty()) text += fmt::format("; indeterminate: {}", fmt::join(unclear, "; "));
  if (twice.empty() && !cgroup) text += "; of a memory cgroup nothing can be said, as none answers here";
  return text + ".";
}

std::vector<std::string> remarks(const Matrix& matrix) {
  std::vector<std::string> lines;
  for (const std::string& allocator : allocators_of(matrix)) {
    Names where;
    for (const Claim& claim : claims_of(matrix)) {
      const Charge* const charge = matrix.find(allocator, to_string(Step::exit), claim.ledger);
      if (charge != nullptr && charge->verdict == Verdict::counted) where.push_back(claim.heading);
    }
    if (!where.empty())
      lines.push_back(fmt::format("{} stays charged after free and exit: {}", allocator, joined(where)));
  }
  for (const LedgerNoise& known : matrix.ledgers) {
    if (!is_cgroup_usage(known.ledger)) continue;
    Names unseen;
    const Names uncounted = by_verdict(matrix, known.ledger)[Verdict::uncounted];
    for (const std::string& allocator : uncounted) {
      const Charge* const node = settled(matrix, allocator, "meminfo.MemFree");
      if (node != nullptr && node->verdict == Verdict::counted) unseen.push_back(allocator);
    }
    if (!unseen.empty())
      lines.push_back(fmt::format("{} does not count host memory of {}: its limit does not hold it back",
                                  known.ledger, joined(unseen)));
  }
  if (const Charge* cache = settled(matrix, "file_read", "cuda.used")) {
    if (cache->verdict == Verdict::counted)
      lines.emplace_back(
          "cuda.used counts page cache: a figure from cudaMemGetInfo rises with every file that is read");
  }
  if (!matrix.doubtful.empty())
    lines.push_back(fmt::format("a control is too noisy to hold: {}", matrix.doubtful));
  return lines;
}

}  // namespace sparkmpi::kernels::charge
