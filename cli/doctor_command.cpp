#include "cli/doctor_command.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "cli/help.hpp"
#include "cli/launch_rank.hpp"
#include "cli/output_format.hpp"
#include "cli/parse_options.hpp"
#include "launchers/doctor/finding.hpp"

namespace sparkmpi::cli {

int doctor_command(const std::vector<std::string>& arguments) {
  namespace po = boost::program_options;
  namespace doctor = launchers::doctor;
  po::options_description options("Options", 80, 36);
  options.add_options()("help,h", "this text")(
      "format", po::value<std::string>()->default_value("table")->value_name("F"), "table, csv or json");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print(
        "{}", command_help("sparkmpi doctor [--format F]",
                           "Says which MPI, PMIx, UCX, CUDA and NCCL a run would use here, what does not fit "
                           "together, and the cure.\nRuns in every environment; exit status 1 when a run "
                           "would fail.",
                           options, "sparkmpi rootfs enter ./root -- sparkmpi doctor"));
    return 0;
  }
  if (!parsed.words.empty()) throw UsageError("doctor: takes no words");
  const OutputFormat format = parse_output_format(parsed.values["format"].as<std::string>());
  const doctor::Findings findings = doctor::examine();
  if (speaks_for_all() && format == OutputFormat::table) {
    for (const doctor::Finding& finding : findings) {
      fmt::print("{:<8} {:<14} {}\n", to_string(finding.level), finding.subject, finding.what);
      if (!finding.cure.empty()) fmt::print("{:24}{}\n", "", finding.cure);
    }
  } else if (speaks_for_all()) {
    Rows rows{{"level", "subject", "what", "cure"}, {}};
    for (const doctor::Finding& finding : findings)
      rows.rows.push_back(
          {std::string(to_string(finding.level)), finding.subject, finding.what, finding.cure});
    print_rows(stdout, rows, format);
  }
  return std::ranges::find(findings, doctor::Level::fault, &doctor::Finding::level) == findings.end() ? 0 : 1;
}

}  // namespace sparkmpi::cli
