#include "ledger/cgroup.hpp"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/ledger/tree.hpp"

namespace sparkmpi::ledger {
namespace {

double value(const std::string& name, const std::string& reading) {
  return reading_of(read_all(name), reading).value;
}

TEST(CgroupLocation, KnowsEveryArrangement) {
  EXPECT_EQ(locate_memory_cgroup(tree("gb10")).version, CgroupVersion::v2);
  EXPECT_EQ(locate_memory_cgroup(tree("cgroup_v1")).version, CgroupVersion::v1);
  EXPECT_EQ(locate_memory_cgroup(tree("cgroup_hybrid")).version, CgroupVersion::hybrid);
  EXPECT_EQ(locate_memory_cgroup(tree("nspawn")).version, CgroupVersion::none);
}

TEST(CgroupLocation, GoesUpToTheRoot) {
  const CgroupLocation location = locate_memory_cgroup(tree("gb10"));
  EXPECT_EQ(location.path, "/user.slice/user-1000.slice/session-2.scope");
  ASSERT_EQ(location.levels.size(), 4U);
  EXPECT_EQ(location.levels.back().filename(), "cgroup");
  EXPECT_EQ(locate_memory_cgroup(tree("cgroup_v1")).levels.size(), 5U);
}

TEST(Cgroup, Version2AndItsParents) {
  EXPECT_EQ(value("gb10", "cgroup.current"), 50e9);
  EXPECT_EQ(value("gb10", "cgroup^1.current"), 60e9);
  EXPECT_EQ(value("gb10", "cgroup.stat.file"), 43980465111.0);
  EXPECT_EQ(value("gb10", "cgroup.events.oom_kill"), 1);
  EXPECT_TRUE(std::isinf(value("gb10", "cgroup.max")));
  EXPECT_EQ(value("gb10", "cgroup^2.max"), 107374182400.0);
}

TEST(Cgroup, TheRootGroupHasNoCurrentAndSaysSo) {
  EXPECT_EQ(reading_of(read_all("gb10"), "cgroup^3.current").answer, Answer::absent);
  EXPECT_EQ(value("gb10", "cgroup^3.stat.anon"), 6442450944.0);
}

TEST(Cgroup, Version1UnderTheNamesOfVersion2) {
  EXPECT_EQ(value("cgroup_v1", "cgroup.current"), 62914560);
  EXPECT_EQ(value("cgroup_v1", "cgroup.peak"), 73400320);
  EXPECT_EQ(value("cgroup_v1", "cgroup.stat.anon"), 20971520);
  EXPECT_EQ(value("cgroup_v1", "cgroup.stat.file"), 41943040);
  EXPECT_TRUE(std::isinf(value("cgroup_v1", "cgroup.max")));
}

TEST(Cgroup, TheSmallestLimitOfAllLevelsCounts) {
  EXPECT_EQ(smallest_cgroup_limit(locate_memory_cgroup(tree("cgroup_v1"))), 8589934592.0);
  EXPECT_EQ(smallest_cgroup_limit(locate_memory_cgroup(tree("gb10"))), 107374182400.0);
  EXPECT_TRUE(std::isinf(smallest_cgroup_limit(locate_memory_cgroup(tree("cgroup_hybrid")))));
}

TEST(Cgroup, InAContainersNamespaceTheMountIsTheGroup) {
  EXPECT_EQ(value("docker", "cgroup.current"), 123456789);
  EXPECT_EQ(value("docker", "cgroup.max"), 34359738368.0);
}

}  // namespace
}  // namespace sparkmpi::ledger
