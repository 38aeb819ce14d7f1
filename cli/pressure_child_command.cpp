#include "cli/pressure_child_command.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/error.hpp"
#include "cli/parse_options.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/pressure/child_side.hpp"
#include "kernels/pressure/cuda_pressure.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;
namespace pressure = kernels::pressure;

const pressure::AllocatorInfo& find_allocator(std::span<const pressure::AllocatorInfo> allocators,
                                              const std::string& name) {
  const auto found = std::ranges::find(allocators, name, &pressure::AllocatorInfo::name);
  if (found == allocators.end()) throw UsageError(fmt::format("there is no allocator '{}'", name));
  return *found;
}

}  // namespace

int pressure_child_command(const std::vector<std::string>& arguments) {
  po::options_description options;
  auto add = options.add_options();
  add("allocator", po::value<std::string>()->required());
  add("gpu", po::value<int>()->default_value(-1));
  add("floor", po::value<double>()->required());
  add("until-killed", "");
  add(kernels::child::kParentOption.substr(2).data(), po::value<pid_t>()->required());
  const ParsedOptions parsed = parse_options(arguments, options);
  pressure::ChildOptions child;
  child.allocator = parsed.values["allocator"].as<std::string>();
  child.gpu = parsed.values["gpu"].as<int>();
  child.floor = parsed.values["floor"].as<double>();
  child.until_killed = parsed.values.count("until-killed") != 0;
  kernels::child::ParentLink parent(parsed.values["parent"].as<pid_t>());
  try {
    std::optional<kernels::CudaModule> cuda;
    std::span<const pressure::AllocatorInfo> allocators = pressure::host_allocators();
    if (child.gpu >= 0) {
      const auto* const side = cuda.emplace().find<pressure::CudaPressure>();
      if (side == nullptr) throw Error("no GPU: " + cuda->reason());
      side->prepare(child.gpu);
      allocators = side->allocators();
    }
    pressure::run_child(parent, find_allocator(allocators, child.allocator), child);
    return 0;
  } catch (const std::exception& failure) {
    // For the parent to say: two processes would say it in two lines.
    pressure::Report report;
    report.refusal = pressure::Refusal{pressure::Cause::killed, failure.what()};
    parent.send(pressure::encode(report));
    return 1;
  }
}

}  // namespace sparkmpi::cli
