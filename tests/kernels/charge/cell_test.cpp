#include "kernels/charge/cell.hpp"

#include <gmock/gmock.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "kernels/charge/scratch_file.hpp"
#include "ledger/file_cache.hpp"

namespace sparkmpi::kernels::charge {
namespace {

using testing::HasSubstr;

CellResult measure_with(const std::string& program) {
  const Clock clock;
  const StopSignal stop;
  return measure_cell(
      {"malloc", std::size_t{2} << 20, "", "host"}, program, [](pid_t) { return ledger::LedgerSet(); }, clock,
      stop);
}

TEST(Cell, AProgramThatIsNotThereIsAnError) {
  EXPECT_THAT(measure_with("/no/such/program").error, HasSubstr("/no/such/program"));
}

TEST(Cell, AChildThatDiesAtOnceIsAnErrorAndItsEndIsRead) {
  const CellResult result = measure_with("/bin/false");
  EXPECT_THAT(result.error, HasSubstr("status 1"));
  ASSERT_EQ(result.snapshots.size(), 1U);
  EXPECT_EQ(result.snapshots.front().moment, "exit");
}

TEST(Cell, AKilledChildIsToldApart) {
  const std::string script = (std::filesystem::temp_directory_path() / "sparkmpi-killed-child").string();
  std::ofstream(script) << "#!/bin/sh\nkill -9 $$\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  EXPECT_THAT(measure_with(script).error, HasSubstr("signal 9"));
  std::filesystem::remove(script);
}

TEST(ScratchFile, IsOutOfTheCacheAndLeavesNothingBehind) {
  const std::filesystem::path directory = std::filesystem::temp_directory_path() / "sparkmpi-scratch-test";
  std::filesystem::create_directories(directory);
  {
    const ScratchFile file(directory, std::size_t{4} << 20);
    EXPECT_TRUE(std::filesystem::is_empty(directory)) << "unlinked from the start";
    std::ifstream(file.path()).ignore(1 << 20);
    if (file_system_of(directory) != "tmpfs") {
      EXPECT_GT(ledger::resident_bytes(file.path()), 0U);
      file.drop_from_cache();
      EXPECT_EQ(ledger::resident_bytes(file.path()), 0U);
    }
  }
  std::filesystem::remove_all(directory);
}

TEST(ScratchDirectory, InMemoryIsRefused) {
  if (file_system_of("/dev/shm") != "tmpfs" || access("/dev/shm", W_OK) != 0)
    GTEST_SKIP() << "/dev/shm is no tmpfs that can be written";
  EXPECT_THROW(scratch_directory("/dev/shm"), UsageError);
  EXPECT_THROW(scratch_directory("/no/such/directory"), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::charge
