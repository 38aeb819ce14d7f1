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
