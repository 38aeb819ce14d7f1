#pragma once
// What a fuzz target implements.

#include <cstddef>
#include <span>

namespace sparkmpi::fuzz {

/// Parses `input`. UsageError is the right answer to nonsense; anything else that is thrown, and everything
/// that the sanitizers see, is a finding.
void try_input(std::span<const std::byte> input);

}  // namespace sparkmpi::fuzz
