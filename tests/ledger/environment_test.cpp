#include "ledger/environment.hpp"

#include <gtest/gtest.h>

#include <map>

#include "ledger/container.hpp"
#include "tests/ledger/tree.hpp"

namespace sparkmpi::ledger {
namespace {

Getenv variables(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

TEST(Environment, RuncIsWhatRootfsRunSaysItIs) {
  const ContainerVerdict verdict = detect_container(tree("gb10"), variables({{"container", "runc"}}));
  EXPECT_EQ(verdict.name, "runc");
  EXPECT_EQ(verdict.evidence, "the variable 'container' says 'runc'");
}

TEST(Environment, TellsContainersApart) {
  for (const char* name : {"docker", "podman", "nspawn", "chroot"}) {
    const ContainerVerdict verdict = detect_container(tree(name), variables({}));
    EXPECT_EQ(verdict.name, name);
    EXPECT_FALSE(verdict.evidence.empty());
  }
  EXPECT_EQ(detect_container(tree("gb10"), variables({})).name, "native");
}

TEST(Environment, MarksThatLieInAnImageProveNothing) {
  // A virtual machine and a chroot, both unpacked from a docker image: the mark and no container.
  EXPECT_EQ(detect_container(tree("vm_from_image"), variables({})).name, "native");
  EXPECT_EQ(detect_container(tree("chroot_from_image"), variables({})).name, "chroot");
  // A container whose root is a plain directory (podman --rootfs, docker's vfs driver) has its own files.
  const ContainerVerdict verdict = detect_container(tree("docker_vfs"), variables({}));
  EXPECT_EQ(verdict.name, "docker");
  EXPECT_NE(verdict.evidence.find("/etc/hostname"), std::string::npos) << verdict.evidence;
}

TEST(Environment, AMemoryGroupCountsOnlyInsideIt) {
  const auto group = [](const char* name) { return variables({{"SPARKMPI_CGROUP", name}}); };
  EXPECT_EQ(detect_container(tree("gb10"), group("session-2.scope")).name, "cgroup");
  EXPECT_EQ(detect_container(tree("gb10"), group("2.scope")).name, "native");
  EXPECT_EQ(detect_container(tree("gb10"), group("elsewhere")).name, "native");
  EXPECT_EQ(detect_container(tree("podman"), group("elsewhere")).name, "podman");
}

TEST(Environment, ApptainerIsSeenThoughItSharesTheHostsFiles) {
  EXPECT_EQ(detect_container(tree("gb10"), variables({{"APPTAINER_CONTAINER", "/x.sif"}})).name, "apptainer");
}

TEST(Environment, SlurmAndLimitsAreFacts) {
  const Environment environment =
      detect_environment(tree("cgroup_v1"), variables({{"SLURM_JOB_ID", "42"}, {"SLURM_STEP_ID", "0"}}));
  EXPECT_EQ(std::get<std::int64_t>(environment.facts.at("under_slurm")), 1);
  EXPECT_EQ(std::get<std::int64_t>(environment.facts.at("cgroup_memory_limit_bytes")), 8589934592);
  EXPECT_EQ(std::get<std::string>(environment.facts.at("cgroup_version")), "v1");
  EXPECT_EQ(std::get<std::int64_t>(detect_environment(tree("gb10"), variables({})).facts.at("under_slurm")),
            0);
}

}  // namespace
}  // namespace sparkmpi::ledger
