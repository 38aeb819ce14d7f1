// enroot, the unprivileged runtime of NVIDIA's clusters; under Slurm its pyxis plug-in does the same from
// srun (launchers/srun.cpp).

#include <fmt/format.h>

#include <array>

#include "launchers/environments/all.hpp"

namespace sparkmpi::launchers {
namespace {

constexpr std::array<EnvironmentOption, 1> kOptions = {
    {{"image", "container made by `enroot create`, or a .sqsh file: image=bench"}}};

Argv enclose(const Enclosure& enclosure, const Argv& inner) {
  Argv argv = {"enroot", "start", "--rw"};
  for (const std::string& variable : enclosure.variables) argv.insert(argv.end(), {"--env", variable});
  argv.insert(argv.end(),
              {"--mount", "/tmp:/tmp", "--mount", fmt::format("{0}:{0}", enclosure.directory.string())});
  for (const std::filesystem::path& path : enclosure.visible)
    argv.insert(argv.end(), {"--mount", fmt::format("{0}:{0}", path.string())});
  argv.push_back(enclosure.value("image", "enroot"));
  argv.insert(argv.end(), inner.begin(), inner.end());
  return argv;
}

}  // namespace

EnvironmentInfo enroot() {
  return {"enroot", "an enroot container", "enroot", kOptions, enclose};
}

}  // namespace sparkmpi::launchers
