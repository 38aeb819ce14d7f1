#pragma once
// The catalogue of model shapes, as the audit wants it.

#include "analysis/audit.hpp"

namespace sparkmpi::cli {

/// By the catalogue's shape in the formats that its configuration names; otherwise what the name says.
analysis::ModelLookup catalogue_lookup();

}  // namespace sparkmpi::cli
