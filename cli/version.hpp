#pragma once
// Which sparkmpi this is.

#include <string>
#include <string_view>

#include "base/attributes.hpp"

namespace sparkmpi::cli {

std::string_view version();   ///< "0.1.0"
std::string_view revision();  ///< of the source when it was configured; empty outside a git checkout
/// version, revision, compiler, build type, and versions of the libraries built against.
Attributes build_facts();

}  // namespace sparkmpi::cli
