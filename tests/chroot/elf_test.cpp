#include "chroot/elf.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>

#include "base/command.hpp"
#include "base/error.hpp"
#include "chroot/payload.hpp"

namespace sparkmpi::chroot {
namespace {

TEST(LoaderList, NamesPathsAndWhatIsMissing) {
  const auto found = parse_loader_list(
      "\tlinux-vdso.so.1 (0x00007ffd1)\n"
      "\tlibmpi.so.40 => /usr/lib/libmpi.so.40 (0x00007f1)\n"
      "\tlibodd name.so => /opt/odd name/libodd name.so (0x00007f2)\n"
      "\tlibgone.so.1 => not found\n"
      "\t/lib64/ld-linux-x86-64.so.2 (0x00007f3)\n");
  ASSERT_EQ(found.size(), 4U);
  EXPECT_EQ(found[0].name, "libmpi.so.40");
  EXPECT_EQ(found[0].path, "/usr/lib/libmpi.so.40");
  EXPECT_EQ(found[1].path, "/opt/odd name/libodd name.so");
  EXPECT_TRUE(found[2].path.empty());
  EXPECT_EQ(found[3].path, "/lib64/ld-linux-x86-64.so.2");
}

TEST(Elf, ThisProgramHasALoaderThatFindsItsLibraries) {
  const auto head = read_elf("/proc/self/exe");
  ASSERT_TRUE(head);
  ASSERT_FALSE(head->interpreter.empty());
  const auto objects = shared_objects(head->interpreter, std::filesystem::read_symlink("/proc/self/exe"));
  EXPECT_TRUE(std::ranges::any_of(objects, [](const SharedObject& object) {
    return object.name.starts_with("libc.so") && std::filesystem::exists(object.path);
  }));
  EXPECT_FALSE(read_elf("/proc/self/status"));
  EXPECT_THROW(read_elf("/no/such/file"), Error);
}

TEST(OmpiInfo, PathsByName) {
  const auto paths = parse_ompi_paths("path:prefix:/usr\nother:x:y\npath:pkglibdir:/usr/lib/openmpi3\n");
  ASSERT_EQ(paths.size(), 2U);
  EXPECT_EQ(paths[1].first, "pkglibdir");
  EXPECT_EQ(paths[1].second, "/usr/lib/openmpi3");
}

TEST(Command, KeepsBothStreamsAndTheStatus) {
  const CommandResult result = run_command({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(result.status, 3);
  EXPECT_EQ(result.output, "out\n");
  EXPECT_EQ(result.errors, "err\n");
  EXPECT_EQ(run_command({"sh", "-c", "kill -TERM $$"}).status, 128 + 15);
  EXPECT_THROW(run_command({"no-such-program-anywhere"}), Error);
}

TEST(Command, ArgumentsAreNeverInterpreted) {
  const std::string odd = "a b;$(touch /tmp/never) 'q' \"d\" \\ *";
  EXPECT_EQ(run_command({"printf", "%s", odd}).output, odd);
  EXPECT_EQ(run_command({"sh", "-c", "printf '%s' " + shell_text({odd})}).output, odd);
  EXPECT_EQ(shell_text({"mpirun", "-np", "2", "it's"}), "mpirun -np 2 'it'\\''s'");
}

}  // namespace
}  // namespace sparkmpi::chroot
