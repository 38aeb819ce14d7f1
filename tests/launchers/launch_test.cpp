#include "launchers/launch.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"
#include "launchers/program.hpp"

namespace sparkmpi::launchers {
namespace {

using testing::ElementsAre;

LaunchPlan plan(std::string_view environment, std::vector<std::string> options) {
  LaunchPlan made;
  made.environment = &find_environment(environment);
  made.options = std::move(options);
  made.ranks = 2;
  made.directory = "/data";
  made.program = "/opt/sparkmpi";
  made.arguments = {"stream", "-o", "$(touch x).h5"};
  return made;
}

TEST(Launch, NativeIsMpirunAndTheProgram) {
  LaunchPlan made = plan("native", {});
  made.hostfile = "hosts";
  made.launcher_options = {"--map-by", "node"};
  EXPECT_THAT(launch_command(made), ElementsAre("mpirun", "-np", "2", "--hostfile", "hosts", "--map-by",
                                                "node", "/opt/sparkmpi", "stream", "-o", "$(touch x).h5"));
}

TEST(Launch, HybridRanksEncloseThemselves) {
  EXPECT_THAT(launch_command(plan("podman", {"image=i", "memory=8g"})),
              ElementsAre("mpirun", "-np", "2", program_path(), "enclose", "podman", "--option", "image=i",
                          "--option", "memory=8g", "--directory", "/data", "--", "/opt/sparkmpi", "stream",
                          "-o", "$(touch x).h5"));
}

TEST(Launch, VariablesReachEveryRankWhereverItIs) {
  LaunchPlan made = plan("native", {});
  made.assignments = {{"NCCL_NVLS_ENABLE", "0"}, {"A", "b c"}};
  EXPECT_THAT(launch_command(made),
              ElementsAre("env", "NCCL_NVLS_ENABLE=0", "A=b c", "mpirun", "-np", "2", "-x",
                          "NCCL_NVLS_ENABLE", "-x", "A", "/opt/sparkmpi", "stream", "-o", "$(touch x).h5"));
  made = plan("podman", {"image=i"});
  made.assignments = {{"A", "1"}};
  EXPECT_THAT(launch_command(made), testing::IsSupersetOf({"env", "A=1", "-x", "A", "--variable"}));
  made.model = LaunchModel::inside;
  EXPECT_THAT(launch_command(made), testing::IsSupersetOf({"env", "A=1", "--env=A", "-x", "A"}));
  Enclosure enclosure;
  enclosure.options = {{"image", "i"}};
  enclosure.directory = "/data";
  enclosure.variables = {"A"};
  EXPECT_THAT(enclosed_command(find_environment("podman"), enclosure, {"x"}, {"NCCL_B=1", "C=1"}),
              testing::AllOf(testing::IsSupersetOf({"--env=A", "--env=NCCL_B"}),
                             testing::Not(testing::Contains("--env=C"))));
}

TEST(Launch, InsideIsOneEnclosureAroundMpirun) {
  LaunchPlan made = plan("chroot", {"rootfs=/r"});
  made.model = LaunchModel::inside;
  EXPECT_THAT(launch_command(made),
              ElementsAre(program_path(), "rootfs", "enter", "/r", "--no-gpu", "--bind", "/data", "--",
                          "mpirun", "-np", "2", "/opt/sparkmpi", "stream", "-o", "$(touch x).h5"));
  made.hostfile = "hosts";
  EXPECT_THROW(launch_command(made), UsageError);
}

TEST(Launch, MpirunInsideAContainerRunsAsRootThere) {
  LaunchPlan made = plan("docker", {"image=i"});
  made.model = LaunchModel::inside;
  EXPECT_THAT(launch_command(made), testing::Contains("--allow-run-as-root"));
  made.model = LaunchModel::hybrid;
  EXPECT_THAT(launch_command(made), testing::Not(testing::Contains("--allow-run-as-root")));
}

TEST(Launch, SrunTakesItsOwnOptions) {
  LaunchPlan made = plan("native", {});
  made.launcher = Launcher::srun;
  made.launcher_options = {"--mpi=pmix"};
  EXPECT_THAT(launch_command(made), ElementsAre("srun", "--ntasks=2", "--mpi=pmix", "/opt/sparkmpi", "stream",
                                                "-o", "$(touch x).h5"));
}

TEST(Launch, FaultsAreFoundBeforeAnythingStarts) {
  EXPECT_THROW(launch_command(plan("podman", {})), UsageError);
  EXPECT_THROW(launch_command(plan("podman", {"image=i", "rootfs=r"})), UsageError);
  EXPECT_THROW(launch_command(plan("podman", {"imag=i"})), UsageError);
}

}  // namespace
}  // namespace sparkmpi::launchers
