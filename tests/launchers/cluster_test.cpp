// Host reports, batch scripts and manifests as text; a real Slurm is in tests/e2e/slurm.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <filesystem>
#include <fstream>

#include "base/command.hpp"
#include "base/error.hpp"
#include "launchers/cluster/batch_script.hpp"
#include "launchers/cluster/host_report.hpp"

namespace sparkmpi::launchers::cluster {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

HostReport report(const std::string& host, const std::string& mpi) {
  return {host, {"00ff", "0.1.0", mpi, "580.1", "aarch64", 20, 1}, ""};
}

TEST(HostReports, WhatDiffersIsNamedWithItsHost) {
  EXPECT_THAT(differences({report("a", "Open MPI v4.1.4"), report("b", "Open MPI v4.1.4")}), IsEmpty());
  EXPECT_THAT(differences({report("a", "Open MPI v4.1.4"), report("b", "Open MPI v5.0.3")}),
              ElementsAre("b: the MPI is 'Open MPI v5.0.3', on a 'Open MPI v4.1.4'"));
  HostReport silent{"c", {}, "ssh ends with 255: no route to host"};
  EXPECT_THAT(differences({silent, report("b", "m"), report("d", "m")}),
              ElementsAre("c: does not answer: ssh ends with 255: no route to host"));
}

TEST(HostReports, FactsSurviveTheWay) {
  const HostFacts facts = report("a", "Open MPI v4.1.4, package: a=b").facts;
  const HostFacts read = parse_facts("Welcome!\n" + facts_text(facts));
  EXPECT_EQ(read.mpi, facts.mpi);
  EXPECT_EQ(read.program_hash, facts.program_hash);
  EXPECT_EQ(read.cores, 20);
  EXPECT_EQ(read.gpus, 1);
  EXPECT_THROW(parse_facts("bash: sparkmpi: command not found"), Error);
}

TEST(HostReports, HostFiles) {
  EXPECT_EQ(hostfile_text({report("a", "m")}, 0), "a slots=1\n");
  EXPECT_EQ(hostfile_text({report("a", "m")}, 4), "a slots=4\n");
  EXPECT_THAT(hosts_in_list("a,b"), ElementsAre("a", "b"));
  EXPECT_THROW(hosts_in_list("a,"), UsageError);
  EXPECT_THROW(hosts_in_list("-oProxyCommand=x"), UsageError);
  EXPECT_THROW(hosts_in_file("/nowhere"), UsageError);
}

TEST(HostReports, AHostThatDoesNotAnswerSaysWhy) {
  EXPECT_THAT(ask_host("a", {"false"}, "/x").fault, HasSubstr("false ends with 1"));
  EXPECT_THAT(ask_host("a", {"/nowhere/ssh"}, "/x").fault, HasSubstr("/nowhere/ssh"));
  EXPECT_THAT(ask_host("a", {"echo"}, "/x").fault, HasSubstr("none of this program's"));
}

JobPlan job() {
  JobPlan plan;
  plan.nodes = 2;
  plan.ranks = 4;
  plan.directory = "/data/run 1";
  plan.command = {"/opt/sparkmpi", "charge", "-o", "a b;c.h5"};
  return plan;
}

TEST(BatchScripts, Sbatch) {
  JobPlan plan = job();
  plan.gpus_per_task = 1;
  plan.cpus_per_task = 16;
  plan.time = "00:30:00";
  EXPECT_EQ(sbatch_script(plan), R"(#!/bin/sh
#SBATCH --job-name=sparkmpi
#SBATCH --nodes=2
#SBATCH --ntasks=4
#SBATCH --gpus-per-task=1
#SBATCH --cpus-per-task=16
#SBATCH --time=00:30:00
#SBATCH --output=%x-%j.log

set -eu
cd '/data/run 1'

# srun starts the ranks itself; its PMI has to be one that the program's MPI knows (srun --mpi=list).
exec srun --mpi=pmix --kill-on-bad-exit=1 --cpus-per-task=16 --cpu-bind=cores --gpu-bind=none /opt/sparkmpi charge -o 'a b;c.h5'
)");
}

TEST(BatchScripts, PyxisAndPmi2) {
  JobPlan plan = job();
  plan.mpi = "pmi2";
  plan.container = "nvcr.io#nvidia/pytorch:25.01";
  EXPECT_THAT(sbatch_script(plan), HasSubstr("srun --mpi=pmi2 --kill-on-bad-exit=1 "
                                             "'--container-image=nvcr.io#nvidia/pytorch:25.01'"));
}

TEST(BatchScripts, NothingLeavesItsLine) {
  JobPlan plan = job();
  plan.name = "x\n#SBATCH --wrap=evil";
  EXPECT_THROW(sbatch_script(plan), UsageError);
  plan = job();
  plan.partition = "a b";
  EXPECT_THROW(sbatch_script(plan), UsageError);
}

TEST(BatchScripts, AnMpiJobIsYaml) {
  JobPlan plan = job();
  EXPECT_THROW(kubernetes_manifest(plan), UsageError);
  plan.image = "registry/sparkmpi:1";
  plan.gpus_per_task = 1;
  const YAML::Node job_node = YAML::Load(kubernetes_manifest(plan));
  EXPECT_EQ(job_node["kind"].as<std::string>(), "MPIJob");
  EXPECT_EQ(job_node["spec"]["slotsPerWorker"].as<int>(), 2);
  const YAML::Node replicas = job_node["spec"]["mpiReplicaSpecs"];
  EXPECT_EQ(replicas["Worker"]["replicas"].as<int>(), 2);
  const YAML::Node worker = replicas["Worker"]["template"]["spec"]["containers"][0];
  EXPECT_EQ(worker["resources"]["limits"]["nvidia.com/gpu"].as<int>(), 2);
  EXPECT_EQ(worker["image"].as<std::string>(), "registry/sparkmpi:1");
  const auto command =
      replicas["Launcher"]["template"]["spec"]["containers"][0]["command"].as<std::vector<std::string>>();
  EXPECT_THAT(command, ElementsAre("mpirun", "--allow-run-as-root", "-np", "4", "/opt/sparkmpi", "charge",
                                   "-o", "a b;c.h5"));
}

}  // namespace
}  // namespace sparkmpi::launchers::cluster
