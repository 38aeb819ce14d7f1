#include "analysis/formats/tidy_csv.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cmath>
#include <fstream>
#include <limits>
#include <unordered_map>

#include "analysis/formats/csv_reader.hpp"
#include "analysis/formats/staged.hpp"
#include "base/error.hpp"

namespace sparkmpi::analysis {
namespace {

constexpr std::array<std::string_view, 28> kColumns = {"study",       "trial",
                                                       "environment", "order",
                                                       "block",       "start_time",
                                                       "file",        "memory_model",
                                                       "ranks",       "nodes",
                                                       "facts",       "kernel",
                                                       "model",       "parameters",
                                                       "point_facts", "complete",
                                                       "rank",        "node",
                                                       "host",        "device",
                                                       "device_name", "device_memory_bytes",
                                                       "metric",      "unit",
                                                       "better",      "origin",
                                                       "iteration",   "value"};
constexpr std::array<std::string_view, 3> kBetter = {"higher", "lower", "neither"};
constexpr std::array<std::string_view, 3> kOrigin = {"measured", "derived", "assumed"};

std::string escaped(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == ';' || c == '=' || c == '\\') out += '\\';
    out += c;
  }
  return out;
}

std::string cell(const std::string& text) {
  if (text.find_first_of(",\"\n\r") == std::string::npos) return text;
  std::string quoted = "\"";
  for (const char c : text) quoted += c == '"' ? std::string("\"\"") : std::string(1, c);
  return quoted + '"';
}

template <class Enum, std::size_t N>
Enum enum_of(const std::array<std::string_view, N>& names, std::string_view name, Enum otherwise) {
  const auto found = std::ranges::find(names, name);
  return found == names.end() ? otherwise : static_cast<Enum>(found - names.begin());
}

/// One file's launches as its lines come; launches, points and ranks are found again by their columns.
class Reader {
 public:
  Reader(const std::filesystem::path& path, const std::vector<std::string>& header) : path_(path) {
    for (std::size_t i = 0; i < header.size(); ++i) at_[header[i]] = i;
    for (const char* needed : {"metric", "unit", "value"}) {
      if (!at_.contains(needed))
        throw UsageError(fmt::format("{}: has no column '{}'; sparkmpi export writes what can be read back",
                                     path_.string(), needed));
    }
  }

  void take(const std::vector<std::string>& fields, std::size_t line) {
    fields_ = &fields;
    line_ = line;
    Launched& launched = launch();
    const std::size_t rank = rank_of(launched);
    StagedPoint& point = point_of(launched);
    const std::string_view metric = text("metric"), unit = text("unit");
    auto series = std::ranges::find_if(point.series, [&](const StagedSeries& each) {
      return each.rank == rank && each.metric.name == metric && each.metric.unit == unit;
    });
    if (series == point.series.end()) {
      Metric info{std::string(metric), std::string(unit), "",
                  enum_of(kBetter, text("better"), results::Better::neither),
                  enum_of(kOrigin, text("origin"), results::Origin::measured)};
      series = point.series.insert(point.series.end(), {std::move(info), rank, {}});
    }
    series->values.push_back(number("value", std::numeric_limits<double>::quiet_NaN()));
  }

  std::vector<StagedLaunch> done() && { return std::move(launches_); }

 private:
  struct Launched {
    std::size_t index = 0;
    std::unordered_map<std::string, std::size_t> points;
    std::unordered_map<std::string, std::size_t> ranks;
  };

  std::string_view text(const char* column) const {
    const auto found = at_.find(column);
    return found == at_.end() || found->second >= fields_->size() ? std::string_view()
                                                                  : (*fields_)[found->second];
  }
  std::string copy(const char* column) const { return std::string(text(column)); }

  double number(const char* column, double otherwise) const {
    const std::string_view digits = text(column);
    if (digits.empty()) return otherwise;
    double value = 0;
    const auto [end, status] = std::from_chars(digits.data(), digits.data() + digits.size(), value);
    if (status != std::errc{} || end != digits.data() + digits.size()) {
      throw UsageError(fmt::format("{}: line {}: column '{}' holds '{}', no number", path_.string(), line_,
                                   column, digits));
    }
    return value;
  }

  Launched& launch() {
    std::string key;
    for (const char* column : {"study", "trial", "environment", "order", "block", "start_time", "file"})
      key += copy(column) + '\x1f';
    const auto [entry, fresh] = by_launch_.try_emplace(key);
    if (!fresh) return entry->second;
    entry->second.index = launches_.size();
    StagedLaunch staged;
    staged.ranks.clear();
    Launch& launch = staged.launch;
    launch.study = copy("study");
    launch.trial = copy("trial");
    launch.environment = copy("environment");
    launch.block = copy("block");
    launch.start_time = copy("start_time");
    launch.file = text("file").empty() ? path_.string() : copy("file");
    launch.memory_model = copy("memory_model");
    launch.ranks = static_cast<int>(number("ranks", 1));
    launch.nodes = static_cast<int>(number("nodes", 1));
    launch.facts = split_factors(text("facts"));
    if (!text("order").empty()) launch.order = number("order", 0);
    launches_.push_back(std::move(staged));
    return entry->second;
  }

  std::size_t rank_of(Launched& launched) {
    StagedLaunch& staged = launches_[launched.index];
    const auto [entry, fresh] = launched.ranks.try_emplace(copy("rank"), staged.ranks.size());
    if (fresh) {
      staged.ranks.push_back(Rank{0, static_cast<std::int32_t>(number("rank", 0)),
                                  static_cast<std::int32_t>(number("node", 0)), copy("host"), copy("device"),
                                  copy("device_name"), number("device_memory_bytes", 0)});
    }
    return entry->second;
  }

  StagedPoint& point_of(Launched& launched) {
    StagedLaunch& staged = launches_[launched.index];
    const std::string key = copy("kernel") + '\x1f' + copy("model") + '\x1f' + copy("parameters");
    const auto [entry, fresh] = launched.points.try_emplace(key, staged.points.size());
    if (fresh) {
      StagedPoint point;
      point.point.kernel = copy("kernel");
      point.point.model = copy("model");
      point.point.parameters = split_factors(text("parameters"));
      point.point.facts = split_factors(text("point_facts"));
      point.point.complete = text("complete") != "0";
      staged.points.push_back(std::move(point));
    }
    return staged.points[entry->second];
  }

  std::filesystem::path path_;
  std::unordered_map<std::string, std::size_t> at_;
  std::unordered_map<std::string, Launched> by_launch_;
  std::vector<StagedLaunch> launches_;
  const std::vector<std::string>* fields_ = nullptr;
  std::size_t line_ = 0;
};

}  // namespace

std::span<const std::string_view> tidy_columns() {
  return kColumns;
}

std::string join_factors(const Factors& factors) {
  std::string text;
  for (const auto& [name, value] : factors)
    text += (text.empty() ? "" : ";") + escaped(name) + "=" + escaped(value);
  return text;
}

Factors split_factors(std::string_view text) {
  Factors factors;
  std::string name, value;
  bool in_value = false;
  const auto keep = [&] {
    if (!name.empty()) factors[name] = value;
    name.clear();
    value.clear();
    in_value = false;
  };
  for (std::size_t i = 0; i < text.size(); ++i) {
    std::string& into = in_value ? value : name;
    if (text[i] == '\\' && i + 1 < text.size()) {
      into += text[++i];
    } else if (text[i] == ';') {
      keep();
    } else if (text[i] == '=' && !in_value) {
      in_value = true;
    } else {
      into += text[i];
    }
  }
  keep();
  return factors;
}

void for_each_observation(const Table& table, const std::function<void(std::span<const std::string>)>& row) {
  const auto plain = [](double value) {
    return std::isnan(value) ? std::string() : fmt::format("{}", value);
  };
  for (const Series& series : table.series()) {
    const Point& point = table.points()[series.point];
    const Launch& launch = table.launches()[point.launch];
    const Rank& rank = table.ranks()[series.rank];
    const Metric& metric = table.metrics()[series.metric];
    std::vector<std::string> cells = {launch.study,
                                      launch.trial,
                                      launch.environment,
                                      launch.order ? plain(*launch.order) : "",
                                      launch.block,
                                      launch.start_time,
                                      launch.file,
                                      launch.memory_model,
                                      fmt::format("{}", launch.ranks),
                                      fmt::format("{}", launch.nodes),
                                      join_factors(launch.facts),
                                      point.kernel,
                                      point.model,
                                      join_factors(point.parameters),
                                      join_factors(point.facts),
                                      point.complete ? "1" : "0",
                                      fmt::format("{}", rank.rank),
                                      fmt::format("{}", rank.node),
                                      rank.host,
                                      rank.device,
                                      rank.device_name,
                                      rank.device_memory_bytes > 0 ? plain(rank.device_memory_bytes) : "",
                                      metric.name,
                                      metric.unit,
                                      std::string(kBetter[static_cast<std::size_t>(metric.better)]),
                                      std::string(kOrigin[static_cast<std::size_t>(metric.origin)]),
                                      "",
                                      ""};
    std::size_t iteration = 0;
    for (const double value : table.samples(series)) {
      cells[cells.size() - 2] = fmt::format("{}", iteration++);
      cells.back() = plain(value);
      row(cells);
    }
  }
}

void write_tidy_csv(const Table& table, std::FILE* out) {
  std::string text = fmt::format("{}\n", fmt::join(kColumns, ","));
  const auto flush = [&] {
    if (std::fwrite(text.data(), 1, text.size(), out) != text.size())
      throw Error("export: cannot write; is the disk full?");
    text.clear();
  };
  for_each_observation(table, [&](std::span<const std::string> cells) {
    for (std::size_t i = 0; i < cells.size(); ++i) {
      if (i > 0) text += ',';
      text += cell(cells[i]);
    }
    text += '\n';
    if (text.size() > (std::size_t{1} << 20)) flush();
  });
  flush();
}

void read_tidy_csv(const std::filesystem::path& path, Table& table) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: cannot be opened", path.string()));
  CsvReader csv(file);
  std::vector<std::string> fields;
  if (!csv.next(fields)) throw UsageError(fmt::format("{}: is empty", path.string()));
  const std::size_t columns = fields.size();
  Reader reader(path, fields);
  while (csv.next(fields)) {
    if (fields.size() == 1 && fields.front().empty()) continue;
    if (fields.size() != columns) {
      throw UsageError(fmt::format("{}: line {}: {} fields, the header has {}; was the file cut short?",
                                   path.string(), csv.line(), fields.size(), columns));
    }
    reader.take(fields, csv.line());
  }
  add_staged(std::move(reader).done(), table);
}

}  // namespace sparkmpi::analysis
