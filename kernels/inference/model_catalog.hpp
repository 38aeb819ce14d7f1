#pragma once
// From what a person types after -m to a shape and, where there are some, weights.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/inference/model_config.hpp"

namespace sparkmpi::kernels::inference {

/// A shape that the program carries: models/NAME/config.json.
struct CatalogEntry {
  std::string_view name;
  std::string_view config;  ///< the file's text
};
const std::vector<CatalogEntry>& model_catalog();

struct ModelSource {
  ModelConfig config;
  std::filesystem::path directory;  ///< empty: a shape from the catalogue
  bool has_weights = false;         ///< the directory holds safetensors; otherwise weights are synthetic
};

/// Looks for `model` as a directory, then as a folder of the directories in $SPARKMPI_MODEL_PATH
/// (colon-separated; one that is such a model itself counts as well), then in the catalogue. Throws
/// UsageError with near names for an unknown one.
/// @param model_path the variable's value.
ModelSource find_model(const std::string& model, const std::optional<std::string>& model_path);

}  // namespace sparkmpi::kernels::inference
