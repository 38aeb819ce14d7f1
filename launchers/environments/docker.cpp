#include "launchers/environments/all.hpp"
#include "launchers/environments/oci.hpp"

namespace sparkmpi::launchers {

EnvironmentInfo docker() {
  return {
      "docker",
      "a Docker container for each rank, or one around mpirun",
      "docker",
      oci::kOptions,
      [](const Enclosure& enclosure, const Argv& inner) { return oci::enclose("docker", enclosure, inner); },
      true};
}

}  // namespace sparkmpi::launchers
