#include "cli/model_list.hpp"

#include <fmt/format.h>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/inference/model_catalog.hpp"
#include "kernels/inference/model_fit.hpp"

namespace sparkmpi::cli {
namespace {

namespace inference = kernels::inference;

std::vector<std::string> shape_of(const inference::ModelConfig& config) {
  return {config.name,
          std::string(to_string(config.family)),
          fmt::format("{}", config.layers),
          fmt::format("{}", config.hidden),
          fmt::format("{}/{}", config.heads, config.kv_heads),
          fmt::format("{}", config.vocab),
          std::string(precision_of(config))};
}

/// tp, weights, kv_per_token, and one for each memory.
std::vector<std::string> fits_of(const inference::ModelConfig& config,
                                 const std::vector<DeviceMemory>& memories, int members) {
  const inference::MemberNeeds needs = largest_needs(inference::needs_of_members(config, members));
  std::vector<std::string> cells = {fmt::format("{}", members),
                                    fmt::format("{:.2f} GB", 1e-9 * static_cast<double>(needs.weights)),
                                    format_bytes(static_cast<double>(needs.kv_bytes_per_token))};
  for (const DeviceMemory& memory : memories)
    cells.push_back(inference::describe_fit(config, memory.bytes, members));
  return cells;
}

}  // namespace

Rows model_list(const std::vector<DeviceMemory>& memories, int members) {
  Rows rows{{"model", "family", "layers", "hidden", "heads/kv", "vocab", "precision", "tp", "weights",
             "kv_per_token"},
            {}};
  for (const DeviceMemory& memory : memories) rows.header.push_back(memory.device);
  for (const auto& entry : inference::model_catalog()) {
    const inference::ModelConfig config = inference::parse_model_config(entry.config, entry.name);
    std::vector<std::string> row = shape_of(config);
    try {
      for (std::string& cell : fits_of(config, memories, members)) row.push_back(std::move(cell));
    } catch (const UsageError& error) {
      row.push_back(fmt::format("no: {}", error.what()));
      row.resize(rows.header.size(), "-");
    }
    rows.rows.push_back(std::move(row));
  }
  return rows;
}

}  // namespace sparkmpi::cli
