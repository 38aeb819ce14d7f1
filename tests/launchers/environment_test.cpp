// What each environment makes of a command, word by word. The expected words are those of the tools' own
// manuals.

#include "launchers/environment.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::launchers {
namespace {

using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;

Enclosure enclosure(std::string_view environment, std::initializer_list<std::string_view> options) {
  Enclosure made;
  for (const std::string_view option : options) set_option(made, find_environment(environment), option);
  made.directory = "/data/run 1";
  made.visible = {"/models"};
  made.name = "sparkmpi-7";
  return made;
}

Argv enclose(std::string_view environment, const Enclosure& made) {
  return find_environment(environment).enclose(made, {"/opt/sparkmpi", "charge", "-o", "a b;c.h5"});
}

TEST(Environments, TheCommandStandsUnchangedAtTheEndOfEach) {
  const std::map<std::string, std::vector<std::string_view>> options = {
      {"native", {}},          {"chroot", {"rootfs=/r"}}, {"cgroup", {"memory=1G"}},
      {"docker", {"image=i"}}, {"podman", {"rootfs=/r"}}, {"apptainer", {"image=i"}},
      {"enroot", {"image=i"}}, {"nspawn", {"rootfs=/r"}}, {"runc", {"rootfs=/r"}},
      {"bwrap", {"rootfs=/r"}}};
  ASSERT_EQ(options.size(), environments().size());
  for (const EnvironmentInfo& environment : environments()) {
    Enclosure made = enclosure(environment.name, {});
    for (const std::string_view option : options.at(std::string(environment.name)))
      set_option(made, environment, option);
    const Argv argv = enclose(environment.name, made);
    const Argv tail = {"charge", "-o", "a b;c.h5"};
    ASSERT_GE(argv.size(), 4U);
    EXPECT_TRUE(std::equal(tail.rbegin(), tail.rend(), argv.rbegin())) << environment.name;
  }
}

TEST(Environments, Docker) {
  Enclosure made = enclosure("docker", {"image=repo/bench:1", "memory=96g", "shm-size=16g", "cpuset=0-15",
                                        "privileged", "cgroup-parent=/bench", "cgroupns=host", "ipc=private",
                                        "runtime=runc", "ulimit=memlock=-1:-1"});
  made.variables = {"OMPI_COMM_WORLD_RANK"};
  made.gpu = true;
  EXPECT_THAT(
      enclose("docker", made),
      ElementsAre("docker", "run", "--rm", "--name=sparkmpi-7", "--runtime=runc", "--ipc=private",
                  "--network=host", "--pid=host", "--cgroupns=host", "--shm-size=16g", "--cpuset-cpus=0-15",
                  "--memory=96g", "--cgroup-parent=/bench", "--ulimit=memlock=-1:-1", "--privileged",
                  "--volume=/tmp:/tmp", "--volume=/data/run 1:/data/run 1", "--volume=/models:/models",
                  "--workdir=/data/run 1", "--gpus=all", "--env=OMPI_COMM_WORLD_RANK",
                  "--entrypoint=/opt/sparkmpi", "repo/bench:1", "charge", "-o", "a b;c.h5"));
}

// podman-run(1), --cgroups: disabled is crun's only; without a cgroup podman wants a PID namespace.
TEST(Environments, PodmanRunsADirectoryAndWithoutACgroup) {
  EXPECT_THAT(
      enclose("podman", enclosure("podman", {"rootfs=/r", "cgroups=disabled"})),
      ElementsAre("podman", "--runtime=crun", "run", "--rm", "--name=sparkmpi-7", "--ipc=host",
                  "--network=host", "--pid=private", "--cgroups=disabled", "--volume=/tmp:/tmp",
                  "--volume=/data/run 1:/data/run 1", "--volume=/models:/models", "--workdir=/data/run 1",
                  "--entrypoint=/opt/sparkmpi", "--rootfs", "/r", "charge", "-o", "a b;c.h5"));
  EXPECT_THROW(enclose("podman", enclosure("podman", {"rootfs=/r", "cgroups=disabled", "pid=host"})),
               UsageError);
  // podman takes the runtime before the sub-command.
  EXPECT_EQ(enclose("podman", enclosure("podman", {"rootfs=/r", "runtime=runc"}))[1], "--runtime=runc");
  EXPECT_THAT(enclose("podman", enclosure("podman", {"image=i"})), Not(Contains("--rootfs")));
}

TEST(Environments, ContainersRefuseWhatContradictsItself) {
  EXPECT_THROW(enclose("podman", enclosure("podman", {})), UsageError);
  EXPECT_THROW(enclose("podman", enclosure("podman", {"image=i", "rootfs=/r"})), UsageError);
  EXPECT_THROW(enclose("docker", enclosure("docker", {"rootfs=/r"})), UsageError);
  EXPECT_THROW(enclose("docker", enclosure("docker", {"image=i", "cgroups=disabled"})), UsageError);
  Enclosure colon = enclosure("docker", {"image=i"});
  colon.visible = {"/odd:name"};
  EXPECT_THROW(enclose("docker", colon), UsageError);
  EXPECT_THROW(enclose("chroot", enclosure("chroot", {})), UsageError);
}

TEST(Environments, Chroot) {
  EXPECT_THAT(enclose("chroot", enclosure("chroot", {"rootfs=./root"})),
              ElementsAre(program_path(), "rootfs", "enter", "./root", "--no-gpu", "--bind", "/data/run 1",
                          "--bind", "/models", "--", "/opt/sparkmpi", "charge", "-o", "a b;c.h5"));
}

TEST(Environments, Runc) {
  Enclosure made = enclosure("runc", {"rootfs=./root", "memory=8G", "cgroup-parent=/bench", "runtime=crun"});
  made.variables = {"PMIX_RANK"};
  EXPECT_THAT(enclose("runc", made),
              ElementsAre(program_path(), "rootfs", "run", "./root", "--name", "sparkmpi-7", "--memory", "8G",
                          "--cgroup-parent", "/bench", "--runtime", "crun", "--no-gpu", "--bind",
                          "/data/run 1", "--bind", "/models", "--env", "PMIX_RANK", "--", "/opt/sparkmpi",
                          "charge", "-o", "a b;c.h5"));
}

TEST(Environments, Nspawn) {
  EXPECT_THAT(enclose("nspawn", enclosure("nspawn", {"rootfs=/r"})),
              ElementsAre("env", "SYSTEMD_NSPAWN_LOCK=0", "SYSTEMD_NSPAWN_SHARE_NS_PID=1",
                          "SYSTEMD_NSPAWN_SHARE_NS_IPC=1", "systemd-nspawn", "--quiet", "--register=no",
                          "--keep-unit", "--machine=sparkmpi-7", "--directory=/r", "--bind=/tmp",
                          "--bind=/dev/shm", "--bind=/data/run 1", "--bind=/models", "--chdir=/data/run 1",
                          "--", "/opt/sparkmpi", "charge", "-o", "a b;c.h5"));
}

TEST(Environments, ApptainerAndEnroot) {
  Enclosure made = enclosure("apptainer", {"image=b.sif"});
  made.gpu = true;
  EXPECT_THAT(enclose("apptainer", made),
              ElementsAre("apptainer", "exec", "--nv", "--bind", "/data/run 1", "--bind", "/models", "--pwd",
                          "/data/run 1", "b.sif", "/opt/sparkmpi", "charge", "-o", "a b;c.h5"));
  made = enclosure("enroot", {"image=bench"});
  made.variables = {"PMIX_RANK"};
  EXPECT_THAT(enclose("enroot", made),
              ElementsAre("enroot", "start", "--rw", "--env", "PMIX_RANK", "--mount", "/tmp:/tmp", "--mount",
                          "/data/run 1:/data/run 1", "--mount", "/models:/models", "bench", "/opt/sparkmpi",
                          "charge", "-o", "a b;c.h5"));
}

TEST(EnvironmentOptions, FaultsAreNamedWithWhatWasMeant) {
  const auto fault = [](std::string_view environment, std::string_view option) {
    Enclosure made;
    try {
      set_option(made, find_environment(environment), option);
    } catch (const UsageError& error) {
      return std::string(error.what());
    }
    return std::string();
  };
  EXPECT_THAT(fault("docker", "memroy=8G"), HasSubstr("did you mean 'memory'"));
  EXPECT_THAT(fault("docker", "memory"), HasSubstr("needs a value"));
  EXPECT_THAT(fault("docker", "memory="), HasSubstr("needs a value"));
  EXPECT_THAT(fault("docker", "privileged=yes"), HasSubstr("takes no value"));
  EXPECT_THAT(fault("native", "memory=1G"), HasSubstr("there is no option"));
  EXPECT_THAT(fault("dokcer", "memory=1G"), HasSubstr("did you mean 'docker'"));
  Enclosure twice;
  set_option(twice, find_environment("docker"), "memory=1G");
  EXPECT_THROW(set_option(twice, find_environment("docker"), "memory=2G"), UsageError);
}

TEST(Variables, ThoseOfTheLauncherAreHandedOnAndNoOthers) {
  const std::vector<std::string> all = {
      "HOME=/root", "OMPI_COMM_WORLD_RANK=1", "PMIX_RANK=1", "SLURM_JOB_ID=3",
      "PATH=/bin",  "SPARKMPI_MODEL_PATH=/m", "AWS_SECRET=x"};
  EXPECT_THAT(variables_to_hand_on(all),
              ElementsAre("OMPI_COMM_WORLD_RANK", "PMIX_RANK", "SLURM_JOB_ID", "SPARKMPI_MODEL_PATH"));
}

}  // namespace
}  // namespace sparkmpi::launchers
