#include "kernels/inference/model_catalog.hpp"

#include <fmt/format.h>

#include "base/error.hpp"
#include "base/near_match.hpp"
#include "kernels/inference/safetensors.hpp"

namespace sparkmpi::kernels::inference {
namespace {

bool is_model(const std::filesystem::path& directory) {
  std::error_code ignored;
  return std::filesystem::is_regular_file(directory / "config.json", ignored);
}

std::optional<std::filesystem::path> search(const std::string& model, std::string_view path) {
  while (!path.empty()) {
    const std::size_t end = std::min(path.find(':'), path.size());
    const std::filesystem::path directory(path.substr(0, end));
    path.remove_prefix(std::min(end + 1, path.size()));
    if (directory.empty()) continue;
    if (is_model(directory / model)) return directory / model;
    if (directory.filename() == model && is_model(directory)) return directory;
  }
  return std::nullopt;
}

ModelSource from_directory(const std::filesystem::path& directory) {
  return {read_model_config(directory), directory, SafetensorsDirectory::present(directory)};
}

}  // namespace

ModelSource find_model(const std::string& model, const std::optional<std::string>& model_path) {
  if (model.empty())
    throw UsageError("-m: give a model's name or directory; `sparkmpi list models` shows the names");
  if (model_path) {
    if (const auto directory = search(model, *model_path)) return from_directory(*directory);
  }
  std::error_code ignored;
  const bool is_path = model.find('/') != std::string::npos;
  if (is_path || std::filesystem::is_directory(model, ignored)) return from_directory(model);
  std::vector<std::string_view> names;
  for (const CatalogEntry& entry : model_catalog()) {
    if (entry.name == model) {
      ModelSource source{
          parse_model_config(entry.config, fmt::format("models/{}/config.json", entry.name)), {}, false};
      source.config.name = entry.name;
      return source;
    }
    names.push_back(entry.name);
  }
  throw UsageError(fmt::format(
      "-m: there is no model '{}'{}; `sparkmpi list models` shows the names, and a directory works as well",
      model, did_you_mean(model, names)));
}

}  // namespace sparkmpi::kernels::inference
