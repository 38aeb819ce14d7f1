#include "chroot/placer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

class PlacerTest : public testing::Test {
 protected:
  PlacerTest() : base_(fs::temp_directory_path() / ("sparkmpi placer " + std::to_string(getpid()))) {
    fs::create_directories(base_ / "usr/lib");
    fs::create_directories(base_ / "root");
    fs::create_directory_symlink("usr/lib", base_ / "lib");
    std::ofstream(base_ / "usr/lib/libx.so.1.2") << "library";
    fs::create_symlink("libx.so.1.2", base_ / "usr/lib/libx.so.1");
    fs::create_symlink(base_ / "usr/lib/libx.so.1", base_ / "absolute");
  }
  ~PlacerTest() override {
    std::error_code ignored;
    fs::remove_all(base_, ignored);
  }
  fs::path inside(const fs::path& path) const { return base_ / "root" / (base_ / path).relative_path(); }
  const fs::path base_;
};

TEST_F(PlacerTest, KeepsLinksOnTheWayAndAtTheEnd) {
  Placer placer(base_ / "root", CopyMode::copy);
  placer.place(base_ / "lib/libx.so.1");
  EXPECT_EQ(fs::read_symlink(inside("lib")), "usr/lib");
  EXPECT_EQ(fs::read_symlink(inside("usr/lib/libx.so.1")), "libx.so.1.2");
  EXPECT_TRUE(fs::is_regular_file(inside("usr/lib/libx.so.1.2")));
  EXPECT_EQ(placer.files().size(), 1U);
  EXPECT_EQ(placer.bytes(), 7U);
}

TEST_F(PlacerTest, AbsoluteLinksStayAbsoluteAndTheirTargetsComeAlong) {
  Placer placer(base_ / "root", CopyMode::copy);
  placer.place(base_ / "absolute");
  EXPECT_EQ(fs::read_symlink(inside("absolute")), base_ / "usr/lib/libx.so.1");
  EXPECT_TRUE(fs::exists(inside("usr/lib/libx.so.1.2")));
}

TEST_F(PlacerTest, HardLinksShareTheInodeAndCopiesDoNot) {
  Placer(base_ / "root", CopyMode::copy).place(base_ / "usr/lib/libx.so.1.2");
  EXPECT_EQ(fs::hard_link_count(base_ / "usr/lib/libx.so.1.2"), 1U);
  Placer(base_ / "root", CopyMode::hard_link).place(base_ / "usr/lib/libx.so.1.2");
  EXPECT_EQ(fs::hard_link_count(base_ / "usr/lib/libx.so.1.2"), 2U);
}

TEST_F(PlacerTest, AFileThatCannotBeReadIsNamed) {
  if (geteuid() == 0) GTEST_SKIP() << "root reads everything";
  fs::permissions(base_ / "usr/lib/libx.so.1.2", fs::perms::none);
  try {
    Placer(base_ / "root", CopyMode::copy).place(base_ / "usr/lib/libx.so.1.2");
    FAIL() << "no error";
  } catch (const Error& error) {
    EXPECT_NE(std::string(error.what()).find("libx.so.1.2"), std::string::npos);
  }
}

}  // namespace
}  // namespace sparkmpi::chroot
