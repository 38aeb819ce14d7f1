#include "launchers/environment.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/error.hpp"
#include "base/near_match.hpp"
#include "launchers/environments/all.hpp"

namespace sparkmpi::launchers {

const std::string& Enclosure::value(std::string_view option, std::string_view environment) const {
  const auto found = options.find(option);
  if (found == options.end())
    throw UsageError(fmt::format("{}: give --option {}=VALUE", environment, option));
  return found->second;
}

std::span<const EnvironmentInfo> environments() {
  static const std::array all = {native(), chroot(),    cgroup(), docker(), podman(),
                                 runc(),   apptainer(), enroot(), nspawn(), bwrap()};
  return all;
}

const EnvironmentInfo& find_environment(std::string_view name) {
  std::vector<std::string_view> names;
  for (const EnvironmentInfo& environment : environments()) {
    if (environment.name == name) return environment;
    names.push_back(environment.name);
  }
  throw UsageError(fmt::format("there is no environment '{}'{}; `sparkmpi list environments` shows them",
                               name, did_you_mean(name, names)));
}

void set_option(Enclosure& enclosure, const EnvironmentInfo& environment, std::string_view text) {
  const std::size_t equals = text.find('=');
  const std::string_view name = text.substr(0, equals);
  const auto option = std::ranges::find(environment.options, name, &EnvironmentOption::name);
  if (option == environment.options.end()) {
    std::vector<std::string_view> names;
    for (const EnvironmentOption& known : environment.options) names.push_back(known.name);
    throw UsageError(
        fmt::format("{}: there is no option '{}'{}", environment.name, name, did_you_mean(name, names)));
  }
  const bool with_value = equals != std::string_view::npos && equals + 1 < text.size();
  if (option->flag && equals != std::string_view::npos)
    throw UsageError(fmt::format("{}: '{}' is present or not and takes no value", environment.name, name));
  if (!option->flag && !with_value)
    throw UsageError(fmt::format("{}: '{}' needs a value: {}", environment.name, name, option->help));
  const std::string value(option->flag ? "1" : text.substr(equals + 1));
  if (!enclosure.options.emplace(std::string(name), value).second)
    throw UsageError(fmt::format("{}: '{}' is given twice", environment.name, name));
}

std::vector<std::string> variables_to_hand_on(std::span<const std::string> all) {
  constexpr std::array<std::string_view, 14> kPrefixes = {
      "OMPI_",  "PMIX_",  "PMI_", "PRTE_", "ORTE_",   "UCX_",      "NCCL_",
      "MPICH_", "SLURM_", "OMP_", "CUDA_", "NVIDIA_", "OPENBLAS_", "SPARKMPI_"};
  std::vector<std::string> names;
  for (const std::string& variable : all) {
    const std::string name = variable.substr(0, variable.find('='));
    if (std::ranges::any_of(kPrefixes, [&](std::string_view prefix) { return name.starts_with(prefix); }))
      names.push_back(name);
  }
  std::ranges::sort(names);
  return names;
}

}  // namespace sparkmpi::launchers
