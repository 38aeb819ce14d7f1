// Nothing between the launcher and the program: what the others are compared with.

#include "launchers/environments/all.hpp"

namespace sparkmpi::launchers {

EnvironmentInfo native() {
  return {
      "native", "the program as it is", "", {}, [](const Enclosure&, const Argv& inner) { return inner; }};
}

}  // namespace sparkmpi::launchers
