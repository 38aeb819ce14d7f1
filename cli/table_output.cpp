#include "cli/table_output.hpp"

#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>

#include "analysis/formats/tidy_csv.hpp"
#include "base/error.hpp"

namespace sparkmpi::cli {
namespace {

constexpr std::array<std::string_view, 9> kNumbers = {
    "order", "ranks", "nodes", "complete", "rank", "node", "device_memory_bytes", "iteration", "value"};

bool is_number(std::string_view column) {
  return std::find(kNumbers.begin(), kNumbers.end(), column) != kNumbers.end();
}

/// A list of objects, one for each observation; unknown is null.
void write_json(const analysis::Table& table, std::FILE* out) {
  const auto columns = analysis::tidy_columns();
  bool first = true;
  fmt::print(out, "[");
  analysis::for_each_observation(table, [&](std::span<const std::string> cells) {
    nlohmann::ordered_json row;
    for (std::size_t i = 0; i < columns.size(); ++i) {
      const std::string name(columns[i]);
      if (cells[i].empty()) {
        row[name] = nullptr;
      } else if (is_number(name)) {
        row[name] = nlohmann::ordered_json::parse(cells[i], nullptr, false);
        if (row[name].is_discarded()) row[name] = nullptr;  // an infinite limit is no JSON number
      } else {
        row[name] = cells[i];
      }
    }
    fmt::print(out, "{}\n{}", first ? "" : ",",
               row.dump(-1, ' ', false, nlohmann::ordered_json::error_handler_t::replace));
    first = false;
  });
  fmt::print(out, "\n]\n");
}

void write(const analysis::Table& table, OutputFormat format, std::FILE* out) {
  if (format == OutputFormat::json) {
    write_json(table, out);
  } else {
    analysis::write_tidy_csv(table, out);
  }
  if (std::fflush(out) != 0 || std::ferror(out) != 0)
    throw Error(fmt::format("cannot write the table: {}", std::strerror(errno)));
}

}  // namespace

void write_observations(const analysis::Table& table, OutputFormat format, const std::string& path,
                        bool force) {
  if (format == OutputFormat::table)
    throw UsageError("--format: use csv or json; compare and show print tables");
  if (path.empty()) return write(table, format, stdout);
  if (!force && std::filesystem::exists(path))
    throw UsageError(fmt::format("{}: exists; give another name with -o, or --force", path));
  const std::string partial = path + ".partial";
  const auto close = [](std::FILE* file) { std::fclose(file); };
  {
    const std::unique_ptr<std::FILE, decltype(close)> file(std::fopen(partial.c_str(), "wb"), close);
    if (!file) throw Error(fmt::format("{}: cannot be written: {}", partial, std::strerror(errno)));
    try {
      write(table, format, file.get());
    } catch (...) {
      std::filesystem::remove(partial);
      throw;
    }
  }
  std::filesystem::rename(partial, path);
}

}  // namespace sparkmpi::cli
