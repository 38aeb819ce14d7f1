#include "ledger/file_cache.hpp"

#include <gtest/gtest.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <fstream>
#include <vector>

#include "base/error.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr std::size_t kSize = 3 * 4096 + 100;

class FileCache : public testing::Test {
 protected:
  void SetUp() override {
    // Not /tmp: on a tmpfs the page cache is the file, and dropping it is impossible.
    path_ = std::filesystem::current_path() / ("file_cache_test." + std::to_string(getpid()));
    std::ofstream(path_, std::ios::binary) << std::string(kSize, 'x');
    struct statfs system {};
    ASSERT_EQ(statfs(path_.c_str(), &system), 0);
    constexpr decltype(system.f_type) kTmpfs = 0x01021994;
    if (system.f_type == kTmpfs) GTEST_SKIP() << "the working directory is a tmpfs";
  }
  void TearDown() override { std::filesystem::remove(path_); }
  std::filesystem::path path_;
};

TEST_F(FileCache, AFileJustReadIsResidentToTheLastByte) {
  std::ifstream file(path_, std::ios::binary);
  std::vector<char> content(kSize);
  file.read(content.data(), kSize);
  EXPECT_EQ(resident_bytes(path_), kSize);
}

TEST_F(FileCache, DroppingLeavesNothing) {
  EXPECT_EQ(drop_file_cache(path_), 0U);
  EXPECT_EQ(resident_bytes(path_), 0U);
}

TEST_F(FileCache, EmptyFileHasNothing) {
  std::ofstream(path_, std::ios::trunc).flush();
  EXPECT_EQ(resident_bytes(path_), 0U);
}

TEST_F(FileCache, MissingFileIsNamed) {
  try {
    resident_bytes(path_.string() + ".nowhere");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find(".nowhere"), std::string::npos);
  }
}

}  // namespace
}  // namespace sparkmpi::ledger
