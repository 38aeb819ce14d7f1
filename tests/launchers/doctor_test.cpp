// The doctor's judgements on what a machine may say.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "launchers/doctor/checks.hpp"

namespace sparkmpi::launchers::doctor {
namespace {

TEST(Doctor, AnotherMpirunIsAFault) {
  const std::string library = "Open MPI v4.1.4, package: Debian OpenMPI, ident: 4.1.4";
  EXPECT_EQ(judge_mpirun("mpirun (Open MPI) 4.1.4", library).level, Level::good);
  EXPECT_EQ(judge_mpirun("mpirun (Open MPI) 4.1.6", library).level, Level::warning);
  EXPECT_EQ(judge_mpirun("mpirun (Open MPI) 5.0.3", library).level, Level::fault);
  EXPECT_EQ(judge_mpirun("HYDRA build details: Version: 4.1.4", library).level, Level::fault);
  EXPECT_EQ(judge_mpirun("", library).level, Level::warning);
  EXPECT_THAT(judge_mpirun("mpirun (Open MPI) 5.0.3", library).what, testing::HasSubstr("5.0.3"));
}

TEST(Doctor, TwoMpiLibrariesAreAFault) {
  EXPECT_EQ(judge_mpi_copies({"/lib/libc.so.6", "/lib/libmpi.so.40"}).level, Level::good);
  EXPECT_EQ(judge_mpi_copies({"/lib/libmpi.so.40", "/opt/libmpi.so.40"}).level, Level::fault);
  EXPECT_EQ(judge_mpi_copies({"/lib/libmpich.so.12"}).level, Level::warning);
}

TEST(Doctor, PartsOfTwoInstallationsAreAFault) {
  EXPECT_EQ(judge_mpi_parts({"/usr/lib/libmpi.so.40", "/usr/lib/libopen-pal.so.40", "/lib/libc.so.6"}).level,
            Level::good);
  const Finding mixed = judge_mpi_parts({"/usr/lib/libmpi.so.40", "/opt/ompi/lib/libopen-pal.so.40"});
  EXPECT_EQ(mixed.level, Level::fault);
  EXPECT_THAT(mixed.what, testing::HasSubstr("/opt/ompi/lib/libopen-pal.so.40"));
  EXPECT_THAT(mixed.what, testing::HasSubstr("/usr/lib/libmpi.so.40"));
  EXPECT_EQ(judge_mpi_parts({"/usr/lib/libmpich.so.12"}).level, Level::good);
}

TEST(Doctor, PmixOfTheLauncherAndOfTheLibrary) {
  EXPECT_EQ(judge_pmix("", "").level, Level::good);
  EXPECT_EQ(judge_pmix("4.2.2rc2", "OpenPMIx 4.2.2").level, Level::good);
  EXPECT_EQ(judge_pmix("3.2.3", "OpenPMIx 4.2.2").level, Level::warning);
  EXPECT_EQ(judge_pmix("1.2.5", "OpenPMIx 4.2.2").level, Level::fault);
  EXPECT_EQ(judge_pmix("4.2.2", "").level, Level::warning);
}

TEST(Doctor, LibrariesNewerThanTheDriver) {
  EXPECT_EQ(judge_driver(13000, 13, "libcublasLt.so.13").level, Level::good);
  EXPECT_EQ(judge_driver(13000, 12, "libcublasLt.so.12").level, Level::good);
  EXPECT_EQ(judge_driver(12080, 13, "libcublasLt.so.13").level, Level::fault);
}

TEST(Doctor, WhyThereIsNoGpu) {
  EXPECT_EQ(judge_gpus(1, 1, "", "").level, Level::good);
  EXPECT_EQ(judge_gpus(0, 0, "no libcuda.so.1", "").level, Level::warning);  // a machine without one
  EXPECT_EQ(judge_gpus(0, 2, "no libcuda.so.1", "").level, Level::fault);    // a container without the driver
  EXPECT_EQ(judge_gpus(0, 0, "", "no device").level, Level::fault);  // a container without the devices
}

TEST(Doctor, LimitsOfMemory) {
  EXPECT_EQ(judge_shared_memory(std::nullopt).level, Level::fault);
  EXPECT_EQ(judge_shared_memory(67108864).level, Level::warning);
  EXPECT_EQ(judge_shared_memory(8e9).level, Level::good);
  EXPECT_EQ(judge_memlock(INFINITY, true).level, Level::good);
  EXPECT_EQ(judge_memlock(8e6, true).level, Level::warning);
  EXPECT_EQ(judge_memlock(8e6, false).level, Level::good);
}

TEST(Doctor, TransportBetweenNodes) {
  EXPECT_EQ(judge_transport({"eth0"}, {"mlx5_0"}, true).level, Level::good);
  EXPECT_EQ(judge_transport({"eth0"}, {"mlx5_0"}, false).level, Level::warning);
  EXPECT_EQ(judge_transport({"eth0"}, {}, true).level, Level::warning);
}

TEST(Doctor, ExaminesThisMachine) {
  const Findings findings = examine();
  const auto libmpi = std::ranges::find(findings, "libmpi", &Finding::subject);
  ASSERT_NE(libmpi, findings.end());
  EXPECT_THAT(libmpi->what, testing::HasSubstr("libmpi"));
  for (const Finding& finding : findings) {
    EXPECT_FALSE(finding.what.empty()) << finding.subject;
    if (finding.level == Level::fault) {
      EXPECT_FALSE(finding.cure.empty()) << finding.subject;
    }
  }
}

}  // namespace
}  // namespace sparkmpi::launchers::doctor
