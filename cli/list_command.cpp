#include "cli/list_command.hpp"

#include <fmt/format.h>

#include <array>
#include <functional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/near_match.hpp"
#include "cli/help.hpp"
#include "cli/model_list.hpp"
#include "cli/output_format.hpp"
#include "cli/parse_options.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/registry.hpp"
#include "ledger/environment.hpp"
#include "mpi/binding.hpp"
#include "mpi/cache_control.hpp"
#include "results/quantity.hpp"

namespace sparkmpi::cli {
namespace {

namespace po = boost::program_options;

Rows kernels_table() {
  Rows rows{{"kernel", "headline", "summary"}, {}};
  for (const kernels::KernelInfo& kernel : kernels::registry())
    rows.rows.push_back(
        {std::string(kernel.name), std::string(kernel.headline), std::string(kernel.summary)});
  return rows;
}

Rows metrics_table() {
  Rows rows{{"kernel", "metric", "unit", "better", "origin", "meaning"}, {}};
  constexpr std::array kBetter = {"higher", "lower", "-"};
  constexpr std::array kOrigin = {"measured", "derived", "assumed"};
  const auto add = [&](std::string_view kernel, std::span<const results::MetricInfo> metrics) {
    for (const results::MetricInfo& metric : metrics) {
      rows.rows.push_back({std::string(kernel), std::string(metric.name), std::string(metric.unit),
                           kBetter.at(static_cast<std::size_t>(metric.better)),
                           kOrigin.at(static_cast<std::size_t>(metric.origin)), std::string(metric.meaning)});
    }
  };
  for (const kernels::KernelInfo& kernel : kernels::registry()) add(kernel.name, kernel.metrics);
  add("(every)", mpi::file_metrics());
  return rows;
}

/// A GPU counts with what is free on it, the host with its whole memory.
std::vector<DeviceMemory> memories_here() {
  std::vector<DeviceMemory> memories = {{"host", mpi::host_device().memory_bytes}};
  const kernels::CudaModule cuda;
  for (const kernels::Device& device : cuda.devices())
    memories.push_back({device.id, cuda.memory(device.ordinal).free});
  return memories;
}

Rows ledgers_table() {
  Rows rows{{"ledger", "now", "unit", "answer"}, {}};
  ledger::LedgerSet ledgers = ledger::standard_ledgers();
  for (const ledger::Reading& reading : ledgers.read())
    rows.rows.push_back({reading.name, results::format_quantity(reading.value, reading.unit), reading.unit,
                         std::string(to_string(reading.answer))});
  return rows;
}

Rows devices_table() {
  Rows rows{{"device", "name", "memory model", "memory", "free", "numa node", "uuid"}, {}};
  const auto bytes = [](std::uint64_t value) { return format_bytes(static_cast<double>(value)); };
  const kernels::CudaModule cuda;
  for (const kernels::Device& device : cuda.devices()) {
    const kernels::CudaModule::Memory memory = cuda.memory(device.ordinal);
    rows.rows.push_back({device.id, device.name, std::string(to_string(device.memory_model)),
                         bytes(memory.total), bytes(memory.free), fmt::format("{}", device.numa_node),
                         device.uuid});
  }
  if (cuda.devices().empty()) fmt::print(stderr, "sparkmpi: no GPU: {}\n", cuda.reason());
  const kernels::Device host = mpi::host_device();
  rows.rows.push_back({host.id, host.name, std::string(to_string(host.memory_model)),
                       bytes(host.memory_bytes), "", "", host.uuid});
  return rows;
}

Rows environments_table() {
  const ledger::Environment here = ledger::detect_environment();
  Rows rows{{"environment", "here", "how it is recognised"}, {}};
  constexpr std::array<std::pair<const char*, const char*>, 12> kKnown = {{
      {"native", "none of the others"},
      {"chroot", "the root directory is not the init process's"},
      {"cgroup", "SPARKMPI_CGROUP names the process's own memory cgroup"},
      {"docker", "/.dockerenv and a sign that the container runs (overlay root, given files, cgroup path)"},
      {"podman", "container=podman, or /run/.containerenv and such a sign"},
      {"runc", "container=runc (sparkmpi rootfs run)"},
      {"apptainer", "APPTAINER_CONTAINER or SINGULARITY_CONTAINER, /.singularity.d"},
      {"nspawn", "container=systemd-nspawn"},
      {"enroot", "ENROOT variables"},
      {"lxc", "container=lxc"},
      {"bwrap", "bubblewrap as the parent"},
      {"container", "another mount or PID namespace than init's, of unknown make"},
  }};
  for (const auto& [name, how] : kKnown)
    rows.rows.push_back({name, here.name == name ? "yes: " + here.evidence : "", how});
  return rows;
}

}  // namespace

int list_command(const std::vector<std::string>& arguments) {
  po::options_description options("Options", 80, 36);
  options.add_options()("help,h", "this text")(
      "format", po::value<std::string>()->default_value("table")->value_name("F"), "table, csv or json")(
      "tp", po::value<int>()->value_name("N"),
      "models: what one of N ranks has of each, every rank with a device like these to itself");
  const ParsedOptions parsed = parse_options(arguments, options);
  if (parsed.values.count("help") != 0) {
    fmt::print("{}", command_help("sparkmpi list kernels|models|metrics|ledgers|devices|environments "
                                  "[--format F] [--tp N]",
                                  "Explains what there is, one line each.", options,
                                  "sparkmpi list models --tp 2 --format csv"));
    return 0;
  }
  const int members = parsed.values.count("tp") != 0 ? parsed.values["tp"].as<int>() : 1;
  if (members < 1) throw UsageError(fmt::format("list: --tp {}: give at least 1", members));
  const std::array<std::pair<std::string_view, std::function<Rows()>>, 6> lists = {
      {{"kernels", kernels_table},
       {"models", [members] { return model_list(memories_here(), members); }},
       {"metrics", metrics_table},
       {"ledgers", ledgers_table},
       {"environments", environments_table},
       {"devices", devices_table}}};
  const OutputFormat format = parse_output_format(parsed.values["format"].as<std::string>());
  if (parsed.words.size() != 1)
    throw UsageError("list: name one of kernels, models, metrics, ledgers, devices, environments");
  if (parsed.values.count("tp") != 0 && parsed.words.front() != "models")
    throw UsageError(fmt::format("list {}: --tp is of `list models` alone", parsed.words.front()));
  std::vector<std::string_view> names;
  for (const auto& [name, table] : lists) {
    if (name == parsed.words.front()) {
      print_rows(stdout, table(), format);
      return 0;
    }
    names.push_back(name);
  }
  throw UsageError(fmt::format(
      "list: there is no list of '{}'{}; kernels, models, metrics, ledgers, devices, environments",
      parsed.words.front(), did_you_mean(parsed.words.front(), names)));
}

}  // namespace sparkmpi::cli
