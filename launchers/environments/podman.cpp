#include "launchers/environments/all.hpp"
#include "launchers/environments/oci.hpp"

namespace sparkmpi::launchers {

EnvironmentInfo podman() {
  return {
      "podman",
      "a podman container, of an image or of a directory",
      "podman",
      oci::kOptions,
      [](const Enclosure& enclosure, const Argv& inner) { return oci::enclose("podman", enclosure, inner); },
      true};
}

}  // namespace sparkmpi::launchers
