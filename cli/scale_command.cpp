#include "cli/scale_command.hpp"

#include <fmt/format.h>

#include <cmath>
#include <optional>

#include "analysis/compare_sentence.hpp"
#include "analysis/scale.hpp"
#include "analysis/scale_sentence.hpp"
#include "base/error.hpp"
#include "cli/analysis_input.hpp"
#include "cli/help.hpp"
#include "cli/output_format.hpp"
#include "cli/terminal.hpp"
#include "cli/text_table.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
using analysis::fit_sentence;
using analysis::Over;
using analysis::precise;
using analysis::ScaleCurve;
using analysis::ScalePoint;
using analysis::Scaling;
using analysis::share_text;
using analysis::Standout;
using analysis::standout_sentence;

void print_curve(const Terminal& terminal, const ScaleCurve& curve, const analysis::ScaleOptions& options) {
  std::string title = curve.kernel;
  for (const std::string* part : {&curve.model, &curve.condition, &curve.metric.name}) {
    if (!part->empty()) title += (title.empty() ? "" : "  ") + *part;
  }
  terminal.print(fmt::format("\n{}\n", terminal.toned(printable(title), Tone::strong)));
  const TextTable table(terminal, {{std::string(to_string(options.over)), 7},
                                   {"launches", 10},
                                   {options.scaling == Scaling::weak ? "per rank" : "value", 15},
                                   {"speed-up", 10},
                                   {"efficiency", 12},
                                   {"95 % interval", 18}});
  table.print_header();
  for (const ScalePoint& point : curve.points) {
    table.print_row({fmt::format("{:.0f}", point.size), fmt::format("{}", point.launches),
                     precise(point.value, curve.metric.unit), fmt::format("{:.2f}", point.speedup),
                     share_text(point.efficiency), share_text(point.efficiency_interval)});
  }
  if (const std::string fit = fit_sentence(curve, options.scaling); !fit.empty())
    terminal.print_wrapped(fit, " ", " ");
}

void print_scale(const Terminal& terminal, const analysis::ScaleResult& result) {
  terminal.print(result.options.scaling == Scaling::weak
                     ? "Weak scaling: each rank has its own work; speed-up is of all ranks together.\n"
                 : result.options.over == Over::tp ? "Strong scaling: one model divided over ranks (tp).\n"
                                                   : "Strong scaling: all ranks share one work.\n");
  for (const ScaleCurve& curve : result.curves) print_curve(terminal, curve, result.options);
  if (!result.standouts.empty() || !result.differences.empty() || !result.notes.empty()) terminal.print("\n");
  for (const Standout& standout : result.standouts)
    terminal.print_wrapped(standout_sentence(standout), terminal.toned("outlier: ", Tone::bad), "  ");
  for (const Standout& standout : result.differences)
    terminal.print_wrapped(standout_sentence(standout) + "; fewer than five, so no score",
                           "largest difference: ", "  ");
  for (const std::string& note : result.notes)
    terminal.print_wrapped(note, terminal.toned("note: ", Tone::unsure), "  ");
}

Rows rows_of(const analysis::ScaleResult& result) {
  Rows rows{{"kind",
             "kernel",
             "model",
             "condition",
             "metric",
             "unit",
             "size",
             "launches",
             "value",
             "speedup",
             "efficiency",
             "efficiency_low",
             "efficiency_high",
             "serial_share",
             "serial_share_low",
             "serial_share_high",
             "name",
             "median",
             "relative_difference",
             "modified_z"},
            {}};
  const auto exact = [](double value) {
    return std::isnan(value) ? std::string() : fmt::format("{}", value);
  };
  for (const ScaleCurve& curve : result.curves) {
    for (const ScalePoint& point : curve.points) {
      rows.rows.push_back({std::string(to_string(result.options.over)),
                           curve.kernel,
                           curve.model,
                           curve.condition,
                           curve.metric.name,
                           curve.metric.unit,
                           exact(point.size),
                           fmt::format("{}", point.launches),
                           exact(point.value),
                           exact(point.speedup),
                           exact(point.efficiency),
                           exact(point.efficiency_interval.low),
                           exact(point.efficiency_interval.high),
                           exact(curve.serial_share),
                           exact(curve.serial_share_interval.low),
                           exact(curve.serial_share_interval.high),
                           "",
                           "",
                           "",
                           ""});
    }
  }
  for (const auto* list : {&result.standouts, &result.differences}) {
    for (const Standout& each : *list) {
      rows.rows.push_back({each.what,
                           each.kernel,
                           each.model,
                           each.condition,
                           each.metric,
                           each.unit,
                           fmt::format("{}", each.of),
                           "",
                           exact(each.value),
                           "",
                           "",
                           "",
                           "",
                           "",
                           "",
                           "",
                           each.name,
                           exact(each.median),
                           exact(each.relative),
                           exact(each.score)});
    }
  }
  return rows;
}

std::optional<Over> asked_over(const ParsedOptions& parsed) {
  if (parsed.values.count("over") == 0) return std::nullopt;
  const std::string asked = parsed.values["over"].as<std::string>();
  for (const Over over : {Over::ranks, Over::nodes, Over::tp}) {
    if (asked == to_string(over)) return over;
  }
  throw UsageError(fmt::format("--over: '{}' is none of ranks, nodes, tp", asked));
}

}  // namespace

int scale_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  add_input_options(options);
  auto add = options.add_options();
  add("over", po::value<std::string>()->value_name("WHAT"),
      "ranks, nodes, or tp: the ranks that one model is divided over. Without it ranks; with --strong tp, "
      "where "
      "launches differ in it");
  add("strong", "all ranks share one work; without it each rank has its own (weak scaling)");
  add("seed", po::value<std::uint64_t>()->default_value(1)->value_name("N"), "of the bootstrap");
  add("format", po::value<std::string>()->default_value("table")->value_name("F"), "table, csv or json");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}",
               command_help("sparkmpi scale FILES [options]",
                            "Speed-up and efficiency over ranks or nodes with intervals over launches,\n"
                            "Amdahl's or Gustafson's fit, and nodes and ranks that stand apart.",
                            options, "sparkmpi scale np1.h5 np2.h5 np4.h5 --metric read_bytes_per_s"));
    return 0;
  }
  const OutputFormat format = parse_output_format(parsed.values["format"].as<std::string>());
  analysis::ScaleOptions chosen;
  const std::optional<Over> over = asked_over(parsed);
  chosen.scaling = parsed.values.count("strong") != 0 ? Scaling::strong : Scaling::weak;
  chosen.metrics = asked_metrics(parsed);
  chosen.seed = parsed.values["seed"].as<std::uint64_t>();
  analysis::LoadOptions load;
  load.metrics = chosen.metrics;
  const analysis::Loaded loaded = load_input(parsed, load);
  chosen.over = over                                ? *over
                : chosen.scaling == Scaling::strong ? analysis::strong_over(loaded.table)
                                                    : Over::ranks;
  const analysis::ScaleResult result = analysis::scale(loaded.table, chosen);
  if (format == OutputFormat::table) {
    print_scale(Terminal(stdout), result);
  } else {
    print_rows(stdout, rows_of(result), format);
  }
  return 0;
}

}  // namespace sparkmpi::cli
