#include "cli/audit_text.hpp"

#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

namespace sparkmpi::cli {

using analysis::CheckOutcome;
using analysis::Finding;

void print_audit(const Terminal& terminal, const analysis::AuditReport& report) {
  terminal.print(
      fmt::format("{} in {} launches\n",
                  report.findings.empty() ? terminal.toned("No findings", Tone::good)
                  : report.findings.size() == 1
                      ? terminal.toned("1 finding", Tone::bad)
                      : terminal.toned(fmt::format("{} findings", report.findings.size()), Tone::bad),
                  report.launches));
  std::size_t number = 0;
  for (const Finding& finding : report.findings) {
    terminal.print("\n");
    terminal.print_wrapped(finding.what, fmt::format("{:>2}. ", ++number), "    ");
    terminal.print_wrapped(finding.evidence, "    evidence: ", "      ");
    terminal.print_wrapped(finding.sure, "    how sure: ", "      ");
    terminal.print_wrapped(finding.advice, "    do: ", "      ");
  }
  terminal.print("\nChecks\n");
  for (const CheckOutcome& check : report.checks) {
    const bool possible = check.not_possible.empty() || check.findings > 0;
    const std::string outcome = check.findings > 0 ? fmt::format("{} found", check.findings)
                                : possible         ? "nothing"
                                                   : "not possible";
    const Tone tone = check.findings > 0 ? Tone::bad : possible ? Tone::good : Tone::unsure;
    const std::string name = fmt::format("  {} ", fitted(check.name, 10)), indent(26, ' ');
    terminal.print_wrapped(check.question, name + terminal.toned(fitted(outcome, 13), tone), indent);
    if (!possible) terminal.print_wrapped(check.not_possible, indent, indent);
  }
  terminal.print_wrapped(fmt::format("The {} p values are corrected together (Holm): a study without fault "
                                     "gives a finding that rests on them "
                                     "in at most {:.3g} % of cases.",
                                     report.tests, 100 * report.level),
                         "", "");
}

std::string audit_json(const analysis::AuditReport& report) {
  nlohmann::ordered_json document;
  document["launches"] = report.launches;
  document["level"] = report.level;
  document["tests"] = report.tests;
  document["findings"] = nlohmann::ordered_json::array();
  for (const Finding& finding : report.findings) {
    nlohmann::ordered_json each;
    each["check"] = finding.check;
    each["what"] = finding.what;
    each["evidence"] = finding.evidence;
    each["sure"] = finding.sure;
    each["advice"] = finding.advice;
    if (!std::isnan(finding.p)) each["p"] = finding.p;
    each["numbers"] = finding.numbers;
    document["findings"].push_back(std::move(each));
  }
  document["checks"] = nlohmann::ordered_json::array();
  for (const CheckOutcome& check : report.checks) {
    nlohmann::ordered_json each;
    each["check"] = check.name;
    each["question"] = check.question;
    each["findings"] = check.findings;
    if (!check.not_possible.empty()) each["not_possible"] = check.not_possible;
    document["checks"].push_back(std::move(each));
  }
  return document.dump(2, ' ', false, nlohmann::ordered_json::error_handler_t::replace);
}

}  // namespace sparkmpi::cli
