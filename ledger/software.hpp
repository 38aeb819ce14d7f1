#pragma once
// What runs underneath: operating system, kernel, C library, and the shared libraries this process has really
// loaded.

#include "base/attributes.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// Facts: os, kernel_release, architecture, libc, those of
/// nvidia_driver_facts(), loaded_libraries ("path" lines, sorted; the loader's word, not the linker's).
Attributes software_facts(const FileRoot& root = {});

}  // namespace sparkmpi::ledger
