#include <gtest/gtest.h>

#include "base/error.hpp"
#include "chroot/extract.hpp"
#include "chroot/gpu_injection.hpp"

namespace sparkmpi::chroot {
namespace {

constexpr const char* kSpecification = R"(
cdiVersion: "0.6.0"
kind: nvidia.com/gpu
devices:
  - name: "0"
    containerEdits:
      mounts: [{hostPath: /only/zero, containerPath: /only/zero}]
  - name: all
    containerEdits:
      deviceNodes: [{path: /dev/nvidia0}]
containerEdits:
  env: [NVIDIA_VISIBLE_DEVICES=void]
  mounts:
    - hostPath: /usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04
      containerPath: /usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04
      options: [ro, nosuid, nodev, bind]
)";

TEST(Cdi, TakesTheGeneralEditsAndThoseOfAllDevices) {
  const Injection injection = parse_cdi(kSpecification, "nvidia.yaml");
  EXPECT_EQ(injection.source, "nvidia.yaml");
  ASSERT_EQ(injection.binds.size(), 1U);
  EXPECT_EQ(injection.binds[0].target, "/usr/lib/x86_64-linux-gnu/libcuda.so.580.159.04");
  EXPECT_TRUE(injection.binds[0].read_only);
  ASSERT_EQ(injection.variables.size(), 2U);
  EXPECT_EQ(injection.variables[0].second, "void");
  EXPECT_EQ(injection.variables[1].first, "LD_LIBRARY_PATH");
  EXPECT_EQ(injection.variables[1].second, "/usr/lib/x86_64-linux-gnu");
}

TEST(Cdi, OfAnotherKindIsNoneAndNonsenseIsAnError) {
  EXPECT_TRUE(parse_cdi("{\"kind\": \"intel.com/gpu\", \"devices\": []}", "other.json").source.empty());
  EXPECT_THROW(parse_cdi("kind: [", "broken.yaml"), UsageError);
  EXPECT_THROW(parse_cdi("devices: []", "no-kind.yaml"), UsageError);
}

TEST(DriverLibraries, AreTakenFromTheLoadersCache) {
  const auto libraries = driver_libraries(
      "2 libs found in cache `/etc/ld.so.cache'\n"
      "\tlibcuda.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libcuda.so.1\n"
      "\tlibcudart.so.13 (libc6,x86-64) => /usr/local/cuda/lib64/libcudart.so.13\n"
      "\tlibnvidia-ml.so.1 (libc6,x86-64) => /usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1\n");
  ASSERT_EQ(libraries.size(), 2U);
  EXPECT_EQ(libraries[0], "/usr/lib/x86_64-linux-gnu/libcuda.so.1");
  EXPECT_EQ(libraries[1], "/usr/lib/x86_64-linux-gnu/libnvidia-ml.so.1");
}

TEST(Bind, IsWrittenAsContainerToolsTakeIt) {
  const Bind both = parse_bind("/proc:/inside:ro");
  EXPECT_EQ(both.source, "/proc");
  EXPECT_EQ(both.target, "/inside");
  EXPECT_TRUE(both.read_only);
  EXPECT_EQ(parse_bind("/proc").target, "/proc");
  EXPECT_THROW(parse_bind("/proc:relative"), UsageError);
  EXPECT_THROW(parse_bind("/no/such/place"), UsageError);
  EXPECT_THROW(parse_bind("/proc:/inside:rx"), UsageError);
}

TEST(ImageExport, IsThreeCommandsWithoutAShell) {
  const auto commands = image_export_commands("docker", "repo/image:tag; rm -rf /", "/tmp/x.tar");
  ASSERT_EQ(commands.size(), 3U);
  EXPECT_EQ(commands[0],
            (std::vector<std::string>{"docker", "create", "repo/image:tag; rm -rf /", "/bin/true"}));
  EXPECT_EQ(commands[1],
            (std::vector<std::string>{"docker", "export", "--output", "/tmp/x.tar", "@container"}));
}

}  // namespace
}  // namespace sparkmpi::chroot
