#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

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

TEST(DriverLibraries, AreThoseThatTheLoaderWouldTake) {
#if defined(__aarch64__)
  const std::string here = "libc6,AArch64", other = "libc6,x86-64";
#else
  const std::string here = "libc6,x86-64", other = "libc6";
#endif
  const auto libraries =
      driver_libraries("\tlibcuda.so.1 (" + other + ") => /lib/other/libcuda.so.1\n\tlibcuda.so.1 (" + here +
                       ") => /usr/local/nvidia/lib64/libcuda.so.1\n\tlibcuda.so.1 (" + here +
                       ") => /usr/local/cuda/compat/libcuda.so.1\n");
  ASSERT_EQ(libraries.size(), 1U);
  EXPECT_EQ(libraries[0], "/usr/local/nvidia/lib64/libcuda.so.1");
}

class CdiFiles : public testing::Test {
 protected:
  CdiFiles() : base_(std::filesystem::temp_directory_path() / ("sparkmpi cdi " + std::to_string(getpid()))) {
    std::filesystem::create_directories(base_ / "etc/cdi");
    std::filesystem::create_directories(base_ / "lib");
  }
  ~CdiFiles() override {
    std::error_code ignored;
    std::filesystem::remove_all(base_, ignored);
  }
  void specify(const std::string& file, const std::string& library) {
    std::ofstream(base_ / "etc/cdi" / file)
        << "cdiVersion: 0.6.0\nkind: nvidia.com/gpu\ndevices: []\ncontainerEdits:\n  mounts:\n"
        << "    - {hostPath: '" << library << "', containerPath: '" << library << "', options: [ro]}\n";
  }
  const std::filesystem::path base_;
};

TEST_F(CdiFiles, LibrariesComeUnderTheNamesOfTheirLinksToo) {
  const std::filesystem::path library = base_ / "lib/libcuda.so.580.1";
  std::ofstream(library) << "x";
  std::filesystem::create_symlink("libcuda.so.580.1", base_ / "lib/libcuda.so.1");
  std::ofstream(base_ / "lib/libcuda.so.1.old") << "another";
  specify("nvidia.yaml", library);
  const Injection injection = gpu_injection(base_);
  ASSERT_EQ(injection.binds.size(), 2U);
  EXPECT_EQ(injection.binds[1].source, library);
  EXPECT_EQ(injection.binds[1].target, base_ / "lib/libcuda.so.1");
}

TEST_F(CdiFiles, ASpecificationWhoseFilesAreNotHereIsPassedOver) {
  specify("nvidia.yaml", "/no/such/libcuda.so.1");
  EXPECT_NE(gpu_injection(base_).source, base_ / "etc/cdi/nvidia.yaml");
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
