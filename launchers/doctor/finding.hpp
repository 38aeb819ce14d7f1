#pragma once
// What `sparkmpi doctor` has to say about this machine, as seen from where it runs.

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::launchers::doctor {

enum class Level : std::uint8_t {
  good,
  warning,  ///< a run works, and something is slower or missing
  fault,    ///< a run would fail
};
std::string_view to_string(Level level);

struct Finding {
  Level level = Level::good;
  std::string subject;  ///< "mpirun", "shared memory"
  std::string what;     ///< one line
  std::string cure;     ///< what to do; empty when good
};

using Findings = std::vector<Finding>;

/// Everything, in the order of a run: MPI, GPUs, memory, network.
Findings examine();

}  // namespace sparkmpi::launchers::doctor
