#include "analysis/load.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <fstream>
#include <map>

#include "analysis/formats/foreign_json.hpp"
#include "analysis/formats/result_file.hpp"
#include "analysis/formats/tidy_csv.hpp"
#include "base/error.hpp"

namespace sparkmpi::analysis {
namespace {

namespace fs = std::filesystem;

constexpr std::array kExtensions = {".h5", ".hdf5", ".json", ".jsonl", ".csv"};

bool is_readable_kind(const fs::path& path) {
  return std::ranges::find(kExtensions, path.extension().string()) != kExtensions.end();
}

std::vector<fs::path> expand(std::span<const fs::path> paths, std::vector<std::string>& problems) {
  std::vector<fs::path> files;
  for (const fs::path& path : paths) {
    std::error_code reason;
    if (!fs::is_directory(path, reason)) {
      files.push_back(path);
      continue;
    }
    std::vector<fs::path> inside;
    for (fs::recursive_directory_iterator it(path, fs::directory_options::skip_permission_denied, reason),
         end;
         !reason && it != end; it.increment(reason)) {
      if (it->is_regular_file(reason) && is_readable_kind(it->path()) &&
          !it->path().filename().string().starts_with("."))
        inside.push_back(it->path());
    }
    if (reason) problems.push_back(fmt::format("{}: {}", path.string(), reason.message()));
    if (inside.empty())
      problems.push_back(
          fmt::format("{}: holds no result file (*.h5, *.json, *.jsonl, *.csv)", path.string()));
    std::ranges::sort(inside);
    files.insert(files.end(), inside.begin(), inside.end());
  }
  return files;
}

std::string head_of(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw Error(fmt::format("{}: cannot be opened; does it exist, may it be read?", path.string()));
  std::string head(16, '\0');
  file.read(head.data(), static_cast<std::streamsize>(head.size()));
  head.resize(static_cast<std::size_t>(file.gcount()));
  return head;
}

void read_one(const fs::path& path, const LoadOptions& options, Table& table) {
  const std::string head = head_of(path);
  const std::size_t first = head.find_first_not_of(" \t\r\n\xEF\xBB\xBF");
  if (first != std::string::npos && (head[first] == '{' || head[first] == '[')) {
    read_foreign_json(path, table);
  } else if (path.extension() == ".csv") {
    read_tidy_csv(path, table);
  } else {
    add_result_file(path, options, table);
  }
}

void require_one_memory_model(const Table& table) {
  struct Users {
    std::size_t launches = 0;
    std::string example;
  };
  std::map<std::string, Users> models;
  for (const Launch& launch : table.launches()) {
    if (launch.memory_model.empty()) continue;
    Users& users = models[launch.memory_model];
    if (users.launches++ == 0) users.example = launch.file;
  }
  if (models.size() < 2) return;
  std::string text;
  for (const auto& [model, users] : models)
    text += fmt::format("{}{} ({} launches, e.g. {})", text.empty() ? "" : ", ", model, users.launches,
                        users.example);
  throw UsageError(
      fmt::format("the launches have different memory models: {}; \"memory used\" means something else on "
                  "each: compare them "
                  "apart, or add --mixed",
                  text));
}

}  // namespace

Loaded load(std::span<const fs::path> paths, const LoadOptions& options) {
  Loaded loaded{Table(options.keep_samples), {}, 0};
  for (const fs::path& path : expand(paths, loaded.problems)) {
    try {
      read_one(path, options, loaded.table);
      ++loaded.files;
    } catch (const Error& error) {
      loaded.problems.emplace_back(error.what());
    }
  }
  if (loaded.files == 0)
    throw UsageError(loaded.problems.empty() ? "name result files or directories of them"
                                             : loaded.problems.front());
  for (const auto& [metric, points] : loaded.table.empty_metrics())
    loaded.problems.push_back(fmt::format("{}: no values but NaN at {} point{}; left out there", metric,
                                          points, points == 1 ? "" : "s"));
  loaded.table.set_facts(options.set);
  if (!options.mixed) require_one_memory_model(loaded.table);
  loaded.table.finish();
  return loaded;
}

}  // namespace sparkmpi::analysis
