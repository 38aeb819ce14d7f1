#include "mpi/launcher_check.hpp"

#include <gtest/gtest.h>

#include <map>

namespace sparkmpi::mpi {
namespace {

ledger::Getenv variables(std::map<std::string, std::string, std::less<>> values) {
  return [values = std::move(values)](std::string_view name) -> std::optional<std::string> {
    const auto found = values.find(name);
    if (found == values.end()) return std::nullopt;
    return found->second;
  };
}

TEST(LauncherCheck, NProcessesThatEachThinkTheyAreAlone) {
  const std::string line =
      launcher_mismatch(variables({{"OMPI_COMM_WORLD_SIZE", "4"}}), 1, "Open MPI v4.1.4");
  EXPECT_NE(line.find("4 processes"), std::string::npos) << line;
  EXPECT_NE(line.find("Open MPI v4.1.4"), std::string::npos) << line;
  EXPECT_EQ(line.find('\n'), std::string::npos);
}

TEST(LauncherCheck, SaysNothingWhenAllIsWell) {
  EXPECT_EQ(launcher_mismatch(variables({{"OMPI_COMM_WORLD_SIZE", "4"}}), 4, "x"), "");
  EXPECT_EQ(launcher_mismatch(variables({{"OMPI_COMM_WORLD_SIZE", "1"}}), 1, "x"), "");
  EXPECT_EQ(launcher_mismatch(variables({}), 1, "x"), "");
}

TEST(LauncherCheck, ABatchScriptIsNoStep) {
  EXPECT_FALSE(launch_claim(variables({{"SLURM_JOB_ID", "1"}, {"SLURM_NTASKS", "8"}})));
  const auto claim = launch_claim(variables({{"SLURM_STEP_ID", "0"},
                                             {"SLURM_PROCID", "0"},
                                             {"SLURM_STEP_NUM_TASKS", "8"},
                                             {"SLURM_LAUNCH_NODE_IPADDR", "1.2.3.4"}}));
  ASSERT_TRUE(claim);
  EXPECT_EQ(claim->processes, 8);
}

}  // namespace
}  // namespace sparkmpi::mpi
