#pragma once
// The catalogue of model shapes, as the audit wants it.

#include "analysis/audit.hpp"

namespace sparkmpi::cli {

/// By the catalogue's shape at 16 bits a weight, as these checkpoints are published; otherwise what the name
/// says.
analysis::ModelLookup catalogue_lookup();

}  // namespace sparkmpi::cli
