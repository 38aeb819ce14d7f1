#include "cli/model_facts.hpp"

#include <algorithm>

#include "base/error.hpp"
#include "kernels/inference/model_catalog.hpp"

namespace sparkmpi::cli {
namespace {

std::optional<analysis::ModelFacts> facts_of(std::string_view model) {
  namespace inference = kernels::inference;
  const auto& catalog = inference::model_catalog();
  const auto entry = std::ranges::find(catalog, model, &inference::CatalogEntry::name);
  if (entry == catalog.end()) return analysis::model_facts_from_name(model);
  const inference::ModelConfig config = inference::parse_model_config(entry->config, entry->name);
  return analysis::ModelFacts{
      static_cast<double>(config.weight_bytes()),
      static_cast<double>(config.weight_bytes_read_per_step(config.experts_per_token)), false};
}

}  // namespace

analysis::ModelLookup catalogue_lookup() {
  return facts_of;
}

}  // namespace sparkmpi::cli
