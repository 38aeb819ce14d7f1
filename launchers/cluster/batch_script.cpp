#include "launchers/cluster/batch_script.hpp"

#include <fmt/format.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>

#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi::launchers::cluster {
namespace {

/// A #SBATCH line ends with its line and knows no quotes that would keep a blank in a name.
std::string checked(const std::string& value, std::string_view what) {
  const bool plain =
      std::ranges::all_of(value, [](char c) { return c > ' ' && c < 127 && c != '#' && c != '"'; });
  if (!plain) throw UsageError(fmt::format("{}: '{}' can't stand in a #SBATCH line", what, value));
  return value;
}

std::string head(const JobPlan& plan) {
  std::string text =
      fmt::format("#!/bin/sh\n#SBATCH --job-name={}\n#SBATCH --nodes={}\n#SBATCH --ntasks={}\n",
                  checked(plan.name, "--name"), plan.nodes, plan.ranks);
  if (plan.gpus_per_task > 0) text += fmt::format("#SBATCH --gpus-per-task={}\n", plan.gpus_per_task);
  if (plan.cpus_per_task > 0) text += fmt::format("#SBATCH --cpus-per-task={}\n", plan.cpus_per_task);
  if (!plan.time.empty()) text += fmt::format("#SBATCH --time={}\n", checked(plan.time, "--time"));
  if (!plan.partition.empty())
    text += fmt::format("#SBATCH --partition={}\n", checked(plan.partition, "--partition"));
  text += "#SBATCH --output=%x-%j.log\n\nset -eu\n";
  text += fmt::format("cd {}\n", shell_text({plan.directory}));
  return text;
}

}  // namespace

std::string sbatch_script(const JobPlan& plan) {
  std::string text = head(plan);
  text +=
      "\n# srun starts the ranks itself; its PMI has to be one that the program's MPI knows (srun "
      "--mpi=list).\n";
  Argv srun = {"srun", "--mpi=" + plan.mpi, "--kill-on-bad-exit=1"};
  if (plan.cpus_per_task > 0) {
    // srun has not taken it from the allocation since Slurm 22.05.
    srun.push_back(fmt::format("--cpus-per-task={}", plan.cpus_per_task));
    srun.emplace_back("--cpu-bind=cores");
  }
  // Each rank sees every GPU of its node and takes the one nearest to its cores.
  if (plan.gpus_per_task > 0) srun.emplace_back("--gpu-bind=none");
  if (!plan.container.empty()) {
    srun.push_back("--container-image=" + plan.container);
    srun.push_back(fmt::format("--container-mounts={0}:{0}", plan.directory));
    srun.push_back("--container-workdir=" + plan.directory);
  }
  srun.insert(srun.end(), plan.command.begin(), plan.command.end());
  text += fmt::format("exec {}\n", shell_text(srun));
  return text;
}

std::string study_script(const JobPlan& plan) {
  return head(plan) +
         "\n# The study starts each trial by srun (its plan says launcher = srun) and goes on where it "
         "stopped "
         "when the\n# script is submitted again.\n" +
         fmt::format("exec {}\n", shell_text(plan.command));
}

std::string kubernetes_manifest(const JobPlan& plan) {
  if (plan.image.empty())
    throw UsageError("--kubernetes needs --image NAME, an image with this program in it");
  const auto container = [&](YAML::Emitter& out, std::string_view role) {
    out << YAML::Key << "template" << YAML::Value << YAML::BeginMap << YAML::Key << "spec" << YAML::Value
        << YAML::BeginMap << YAML::Key << "containers" << YAML::Value << YAML::BeginSeq << YAML::BeginMap
        << YAML::Key << "name" << YAML::Value << std::string(role) << YAML::Key << "image" << YAML::Value
        << YAML::DoubleQuoted << plan.image;
  };
  const auto end = [](YAML::Emitter& out) {
    out << YAML::EndMap << YAML::EndSeq << YAML::EndMap << YAML::EndMap << YAML::EndMap;
  };
  const int slots = (plan.ranks + plan.nodes - 1) / plan.nodes;
  YAML::Emitter out;
  out << YAML::BeginMap << YAML::Key << "apiVersion" << YAML::Value << "kubeflow.org/v2beta1" << YAML::Key
      << "kind" << YAML::Value << "MPIJob" << YAML::Key << "metadata" << YAML::Value << YAML::BeginMap
      << YAML::Key << "name" << YAML::Value << YAML::DoubleQuoted << plan.name << YAML::EndMap << YAML::Key
      << "spec" << YAML::Value << YAML::BeginMap << YAML::Key << "slotsPerWorker" << YAML::Value << slots
      << YAML::Key << "runPolicy" << YAML::Value << YAML::BeginMap << YAML::Key << "cleanPodPolicy"
      << YAML::Value << "Running" << YAML::EndMap << YAML::Key << "mpiReplicaSpecs" << YAML::Value
      << YAML::BeginMap;
  out << YAML::Key << "Launcher" << YAML::Value << YAML::BeginMap << YAML::Key << "replicas" << YAML::Value
      << 1;
  container(out, "launcher");
  out << YAML::Key << "command" << YAML::Value << YAML::Flow << YAML::BeginSeq;
  for (const char* const word : {"mpirun", "--allow-run-as-root", "-np"}) out << YAML::DoubleQuoted << word;
  out << YAML::DoubleQuoted << std::to_string(plan.ranks);
  for (const std::string& word : plan.command) out << YAML::DoubleQuoted << word;
  out << YAML::EndSeq;
  end(out);
  out << YAML::Key << "Worker" << YAML::Value << YAML::BeginMap << YAML::Key << "replicas" << YAML::Value
      << plan.nodes;
  container(out, "worker");
  if (plan.gpus_per_task > 0)
    out << YAML::Key << "resources" << YAML::Value << YAML::BeginMap << YAML::Key << "limits" << YAML::Value
        << YAML::BeginMap << YAML::Key << "nvidia.com/gpu" << YAML::Value << plan.gpus_per_task * slots
        << YAML::EndMap << YAML::EndMap;
  end(out);
  out << YAML::EndMap << YAML::EndMap << YAML::EndMap;
  return std::string(out.c_str()) + "\n";
}

}  // namespace sparkmpi::launchers::cluster
