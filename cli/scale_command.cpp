#include "cli/scale_command.hpp"

#include <fmt/format.h>

#include <cmath>

#include "analysis/compare_sentence.hpp"
#include "analysis/scale.hpp"
#include "base/error.hpp"
#include "cli/analysis_input.hpp"
#include "cli/help.hpp"
#include "cli/output_format.hpp"
#include "cli/terminal.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
using analysis::precise;
using analysis::ScaleCurve;
using analysis::ScalePoint;
using analysis::Scaling;
using analysis::Standout;

std::string share(double value) {
  return std::isnan(value) ? "-" : fmt::format("{:.1f} %", 100 * value);
}

std::string interval(const analysis::Interval& interval) {
  return std::isnan(interval.low) ? "-"
                                  : fmt::format("{:.1f}..{:.1f} %", 100 * interval.low, 100 * interval.high);
}

void print_curve(const Terminal& terminal, const ScaleCurve& curve, const analysis::ScaleOptions& options) {
  std::string title = curve.kernel;
  for (const std::string* part : {&curve.model, &curve.condition, &curve.metric.name}) {
    if (!part->empty()) title += (title.empty() ? "" : "  ") + *part;
  }
  terminal.print(fmt::format("\n{}\n", terminal.toned(printable(title), Tone::strong)));
  terminal.print(terminal.toned(
      fmt::format(" {:>6} {:>9} {:>14} {:>9} {:>11} {:>17}\n", options.by_nodes ? "nodes" : "ranks",
                  "launches", options.scaling == Scaling::strong ? "value" : "per rank", "speed-up",
                  "efficiency", "95 % interval"),
      Tone::faint));
  for (const ScalePoint& point : curve.points) {
    terminal.print(fmt::format(" {:>6.0f} {:>9} {:>14} {:>9.2f} {:>11} {:>17}\n", point.size, point.launches,
                               precise(point.value, curve.metric.unit), point.speedup,
                               share(point.efficiency), interval(point.efficiency_interval)));
  }
  if (!std::isnan(curve.serial_share)) {
    terminal.print_wrapped(
        fmt::format("{}: {} does not scale (95 % interval {})",
                    options.scaling == Scaling::strong ? "Amdahl's fit" : "Gustafson's fit",
                    share(curve.serial_share), interval(curve.serial_share_interval)),
        " ", " ");
  }
}

std::string standout_text(const Standout& standout) {
  return fmt::format("{}{}: {} {} is at {}, {} from the median {} of {} {}s{}", standout.metric,
                     standout.condition.empty() ? "" : " (" + standout.condition + ")", standout.what,
                     standout.name, precise(standout.value, standout.unit),
                     analysis::percent(standout.relative), precise(standout.median, standout.unit),
                     standout.of, standout.what,
                     std::isnan(standout.score) ? "" : fmt::format(" (modified z = {:.1f})", standout.score));
}

void print_scale(const Terminal& terminal, const analysis::ScaleResult& result) {
  terminal.print(result.options.scaling == Scaling::weak
                     ? "Weak scaling: each rank has its own work; speed-up is of all ranks together.\n"
                     : "Strong scaling: all ranks share one work.\n");
  for (const ScaleCurve& curve : result.curves) print_curve(terminal, curve, result.options);
  if (!result.standouts.empty() || !result.differences.empty() || !result.notes.empty()) terminal.print("\n");
  for (const Standout& standout : result.standouts)
    terminal.print_wrapped(standout_text(standout), terminal.toned("outlier: ", Tone::bad), "  ");
  for (const Standout& standout : result.differences)
    terminal.print_wrapped(standout_text(standout) + "; fewer than five, so no score",
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
      rows.rows.push_back({result.options.by_nodes ? "nodes" : "ranks",
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

}  // namespace

int scale_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  add_input_options(options);
  auto add = options.add_options();
  add("over", po::value<std::string>()->default_value("ranks")->value_name("WHAT"), "ranks or nodes");
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
  const std::string over = parsed.values["over"].as<std::string>();
  if (over != "ranks" && over != "nodes")
    throw UsageError(fmt::format("--over: '{}' is none of ranks, nodes", over));
  chosen.by_nodes = over == "nodes";
  chosen.scaling = parsed.values.count("strong") != 0 ? Scaling::strong : Scaling::weak;
  chosen.metrics = asked_metrics(parsed);
  chosen.seed = parsed.values["seed"].as<std::uint64_t>();
  analysis::LoadOptions load;
  load.metrics = chosen.metrics;
  const analysis::Loaded loaded = load_input(parsed, load);
  const analysis::ScaleResult result = analysis::scale(loaded.table, chosen);
  if (format == OutputFormat::table) {
    print_scale(Terminal(stdout), result);
  } else {
    print_rows(stdout, rows_of(result), format);
  }
  return 0;
}

}  // namespace sparkmpi::cli
