// The OCI bundle that `sparkmpi rootfs run` hands to runc; real runs are in tests/e2e/environments.py.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "launchers/oci_bundle.hpp"

namespace sparkmpi::launchers {
namespace {

using nlohmann::json;
using testing::AllOf;
using testing::Contains;
using testing::ElementsAre;
using testing::Not;

BundleOptions options() {
  BundleOptions made;
  made.root = "/data/the root";
  made.directory = "/data/run 1";
  made.argv = {"/opt/sparkmpi", "charge", "-o", "a 'b\" $(c);d.h5"};
  made.binds = {{"/data/run 1", "/data/run 1", false}, {"/etc/hosts", "/etc/hosts", true}};
  made.variables = {{"PATH", "/bin"}, {"PMIX_NAMESPACE", "a\"b\nc"}};
  made.name = "sparkmpi-7";
  made.cgroup = "/bench/sparkmpi-7";
  return made;
}

json mount_at(const json& config, const std::string& place) {
  for (const json& mount : config["mounts"])
    if (mount["destination"] == place) return mount;
  return {};
}

TEST(Bundle, HandsWordsAndVariablesOnAsTheyAre) {
  const json config = json::parse(bundle_config(options()));
  EXPECT_EQ(config["process"]["args"].get<std::vector<std::string>>(), options().argv);
  EXPECT_THAT(config["process"]["env"].get<std::vector<std::string>>(),
              ElementsAre("PATH=/bin", "PMIX_NAMESPACE=a\"b\nc"));
  EXPECT_EQ(config["process"]["cwd"], "/data/run 1");
  EXPECT_EQ(config["root"]["path"], "/data/the root");
}

TEST(Bundle, SharesWithTheNodeWhatRanksNeedToMeet) {
  const json config = json::parse(bundle_config(options()));
  ASSERT_EQ(config["linux"]["namespaces"].size(), 1U);
  EXPECT_EQ(config["linux"]["namespaces"][0]["type"], "mount");
  EXPECT_EQ(mount_at(config, "/dev/shm")["source"], "/dev/shm");
  EXPECT_THAT(mount_at(config, "/data/run 1")["options"].get<std::vector<std::string>>(),
              AllOf(Contains("rbind"), Not(Contains("ro"))));
  EXPECT_THAT(mount_at(config, "/etc/hosts")["options"].get<std::vector<std::string>>(), Contains("ro"));
  // A container is not the host's administrator.
  EXPECT_THAT(config["process"]["capabilities"]["bounding"].get<std::vector<std::string>>(),
              AllOf(Contains("CAP_CHOWN"), Not(Contains("CAP_SYS_ADMIN"))));
}

TEST(Bundle, LimitsMemoryWhenAsked) {
  BundleOptions made = options();
  EXPECT_FALSE(json::parse(bundle_config(made))["linux"]["resources"].contains("memory"));
  made.memory = std::uint64_t{8} << 30U;
  const json config = json::parse(bundle_config(made));
  EXPECT_EQ(config["linux"]["resources"]["memory"]["limit"], std::uint64_t{8} << 30U);
  EXPECT_EQ(config["linux"]["cgroupsPath"], "/bench/sparkmpi-7");
}

}  // namespace
}  // namespace sparkmpi::launchers
