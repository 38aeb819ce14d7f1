#include "chroot/placer.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.hpp"
#include "chroot/inside.hpp"

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

/// As /usr/local/cuda → /etc/alternatives/cuda → /usr/local/cuda-13.1: what is placed behind absolute links
/// of directories goes under the root, and the host's files stay as they are.
TEST_F(PlacerTest, NothingIsWrittenBehindAnAbsoluteLink) {
  fs::create_directories(base_ / "etc");
  fs::create_directory_symlink(base_ / "usr", base_ / "etc/alternative");
  fs::create_directory_symlink(base_ / "etc/alternative", base_ / "current");
  const fs::path host = base_ / "usr/lib/libx.so.1.2";
  for (int again = 0; again < 2; ++again) {
    Placer placer(base_ / "root", CopyMode::copy);
    placer.place(base_ / "current/lib/libx.so.1");
    EXPECT_TRUE(fs::is_regular_file(host));
    EXPECT_EQ(fs::read_symlink(inside("current")), base_ / "etc/alternative");
    EXPECT_EQ(fs::read_symlink(inside("etc/alternative")), base_ / "usr");
    EXPECT_TRUE(fs::is_regular_file(inside("usr/lib/libx.so.1.2")));
    EXPECT_EQ(placer.files(), std::set<fs::path>{host});
  }
}

TEST_F(PlacerTest, ARootWhoseLinksLeadOutIsRefused) {
  fs::create_directories(inside("usr"));
  fs::create_directory_symlink(base_ / "usr/lib", inside("usr/lib"));
  EXPECT_THROW(Placer(base_ / "root", CopyMode::copy).place(base_ / "usr/lib/libx.so.1.2"), Error);
  EXPECT_TRUE(fs::is_regular_file(base_ / "usr/lib/libx.so.1.2"));
}

TEST_F(PlacerTest, ADirectoryThatIsLinkedToIsMadeAndNotFilled) {
  Placer placer(base_ / "root", CopyMode::copy);
  placer.place(base_ / "lib");
  EXPECT_TRUE(fs::is_directory(inside("usr/lib")));
  EXPECT_TRUE(fs::is_empty(inside("usr/lib")));
  placer.place(base_ / "usr/lib");
  EXPECT_TRUE(fs::exists(inside("usr/lib/libx.so.1.2")));
}

TEST_F(PlacerTest, PathsInTheRootAreFollowedWithinIt) {
  fs::create_directories(inside("usr/lib"));
  const fs::path root = base_ / "root";
  fs::create_directories(root / "run");
  fs::create_directories(root / "var");
  fs::create_directory_symlink("/run", root / "var/run");
  EXPECT_EQ(resolve_inside(root, "/var/run/x/y"), root / "run/x/y");
  EXPECT_EQ(resolve_inside(root, "/../../etc/passwd"), root / "etc/passwd");
  fs::create_symlink("../../../../etc/hosts", root / "var/hosts");
  EXPECT_EQ(resolve_inside(root, "/var/hosts"), root / "etc/hosts");
  fs::create_symlink("loop", root / "loop");
  EXPECT_THROW(resolve_inside(root, "/loop"), Error);
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
