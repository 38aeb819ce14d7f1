#pragma once
// What `sparkmpi` runs when no kernel is named.

#include <span>
#include <string_view>

namespace sparkmpi::kernels {

/// A kernel with options as a person would type them.
struct SuiteEntry {
  std::string_view kernel;
  std::span<const std::string_view> arguments;
};

/// Memory bandwidth from cache to memory, then inference of SmolLM2-135M at batch 1 and 4: under two minutes
/// on two cores.
std::span<const SuiteEntry> default_suite();

}  // namespace sparkmpi::kernels
