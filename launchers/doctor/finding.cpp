#include "launchers/doctor/finding.hpp"

#include <array>

#include "launchers/doctor/checks.hpp"

namespace sparkmpi::launchers::doctor {

std::string_view to_string(Level level) {
  constexpr std::array<std::string_view, 3> kNames = {"good", "warning", "fault"};
  return kNames.at(static_cast<std::size_t>(level));
}

Findings examine() {
  Findings all;
  for (const auto check : {check_environment, check_mpi, check_gpu, check_memory, check_network}) {
    for (Finding& finding : check()) all.push_back(std::move(finding));
  }
  return all;
}

}  // namespace sparkmpi::launchers::doctor
