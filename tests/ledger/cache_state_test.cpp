#include "ledger/cache_state.hpp"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <iterator>

#include "base/error.hpp"
#include "ledger/file_duplicates.hpp"
#include "tests/ledger/tree.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr std::size_t kSize = (std::size_t{1} << 20) + 100;

/// A directory on a disk, with a file of one MiB and a bit.
class CacheState : public testing::Test {
 protected:
  void SetUp() override {
    try {
      injection_directory();
    } catch (const Error& error) {
      GTEST_SKIP() << error.what();
    }
    directory_ = injection_directory() / ("cache_state_test." + std::to_string(getpid()));
    std::filesystem::create_directories(directory_);
    file_ = directory_ / "weights";
    write(file_, 'x');
  }
  void TearDown() override {
    if (!directory_.empty()) std::filesystem::remove_all(directory_);
  }
  static void write(const std::filesystem::path& path, char content) {
    std::ofstream(path, std::ios::binary) << std::string(kSize, content);
  }
  std::filesystem::path directory_, file_;
};

TEST(CacheRequest, KnowsItsWords) {
  EXPECT_EQ(parse_cache_request("keep").mode, CacheMode::keep);
  EXPECT_EQ(parse_cache_request("drop").mode, CacheMode::drop);
  EXPECT_EQ(parse_cache_request("warm-model").mode, CacheMode::warm_model);
  EXPECT_EQ(parse_cache_request("inject=1.5G").inject_bytes, 3ULL << 29);
  for (const char* text : {"", "warm", "inject", "inject=", "inject=0", "inject=-1G", "inject=x", "drop=1"})
    EXPECT_THROW(parse_cache_request(text), UsageError) << text;
}

TEST_F(CacheState, BothCallsSeeTheSamePages) {
  const CachedFile file(file_);
  file.fill();
  ASSERT_EQ(file.resident_by_mincore(), kSize);
  if (!file.resident_by_cachestat()) GTEST_SKIP() << "no cachestat(2) here, or not for this file system";
  EXPECT_EQ(file.resident_by_cachestat(), kSize);
  file.drop();
  EXPECT_EQ(file.resident_by_cachestat(), 0U);
  EXPECT_EQ(file.resident_by_mincore(), 0U);
}

TEST_F(CacheState, WarmingBringsEveryByteBack) {
  drop_file_cache(file_);
  const CacheOutcome outcome = warm_files(std::vector{file_}, {});
  EXPECT_TRUE(outcome.verified) << outcome.note;
  EXPECT_EQ(outcome.resident_before, 0);
  EXPECT_EQ(outcome.resident_after, kSize);
}

TEST_F(CacheState, WarmingThatIsStoppedIsNotVerified) {
  drop_file_cache(file_);
  const CacheOutcome outcome = warm_files(std::vector{file_}, [] { return true; });
  EXPECT_FALSE(outcome.verified);
  EXPECT_FALSE(outcome.note.empty());
}

TEST_F(CacheState, WithoutDropCachesTheFilesAloneAreLetGo) {
  CachedFile(file_).fill();
  const CacheOutcome outcome = drop_cache(std::vector{file_}, {}, {directory_});  // a /proc without sys/vm
  EXPECT_EQ(outcome.method, "posix_fadvise");
  EXPECT_TRUE(outcome.verified) << outcome.note;
  EXPECT_EQ(outcome.resident_before, kSize);
  EXPECT_EQ(outcome.resident_after, 0);
  EXPECT_NE(outcome.note.find("only the run's own files"), std::string::npos);
  EXPECT_FALSE(drop_cache({}, {}, {directory_}).verified);  // nothing that could be looked at
}

TEST_F(CacheState, AFileThatStaysIsNotVerified) {
  CachedFile(file_).fill();
  const int descriptor = open(file_.c_str(), O_RDONLY | O_CLOEXEC);
  void* const mapping = mmap(nullptr, kSize, PROT_READ, MAP_SHARED | MAP_POPULATE, descriptor, 0);
  ASSERT_NE(mapping, MAP_FAILED);
  const CacheOutcome outcome = drop_cache(std::vector{file_}, {}, {directory_});
  munmap(mapping, kSize);
  close(descriptor);
  EXPECT_FALSE(outcome.verified);
  EXPECT_GT(outcome.resident_after, 0);
}

TEST(DroppedCache, ALargeCacheContradictsIt) {
  EXPECT_NE(why_not_dropped(read_all("gb10")), "");  // 64 GiB of page cache
  std::vector<Reading> readings = read_all("gb10");
  for (Reading& reading : readings) {
    if (reading.name == "meminfo.Cached") reading.value = 40.0 * 1024 * 1024;
  }
  EXPECT_EQ(why_not_dropped(readings), "");
  EXPECT_NE(why_not_dropped({}), "");
}

TEST_F(CacheState, InjectionIsResidentAndGoesAway) {
  const InjectedFile file(std::uint64_t{16} << 20, directory_);
  const CacheOutcome outcome = inject_cache(file, {});
  EXPECT_TRUE(outcome.verified) << outcome.note;
  EXPECT_EQ(outcome.resident_before, 0);
  EXPECT_EQ(outcome.resident_after, std::uint64_t{16} << 20);
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory_), {}), 1);  // it has no name
  file.drop();
  EXPECT_EQ(file.resident(), 0U);
}

TEST(Injection, LeavesMemoryAndTheCgroupRoom) {
  EXPECT_NO_THROW(require_room_for_injection(1ULL << 30, "--inject", tree("gb10")));
  EXPECT_THROW(require_room_for_injection(109ULL << 30, "--inject", tree("gb10")),
               UsageError);  // 110 GiB there
  EXPECT_THROW(require_room_for_injection(9ULL << 30, "--inject", tree("cgroup_v1")), UsageError);
}

TEST_F(CacheState, CopiesAreFoundByContentAndNotByLink) {
  const std::filesystem::path copy = directory_ / "copy", other = directory_ / "other",
                              link = directory_ / "link";
  write(copy, 'x');
  write(other, 'y');
  std::filesystem::create_hard_link(file_, link);
  const std::vector<FileIdentity> files = {identify(file_), identify(link), identify(copy), identify(other)};
  EXPECT_EQ(find_duplicates(files), (std::vector<std::size_t>{0, 1, 0, 3}));
  EXPECT_EQ(files[0].id(), files[1].id());
}

TEST_F(CacheState, ADifferenceAtEitherEndIsSeen) {
  const std::filesystem::path changed = directory_ / "changed";
  for (const std::size_t place : {std::size_t{0}, kSize - 1}) {
    write(changed, 'x');
    std::fstream(changed, std::ios::binary | std::ios::in | std::ios::out).seekp(static_cast<long>(place))
        << 'y';
    EXPECT_EQ(find_duplicates(std::vector{identify(file_), identify(changed)}),
              (std::vector<std::size_t>{0, 1}));
  }
}

TEST_F(CacheState, LookingForCopiesDoesNotWarmThem) {
  const std::filesystem::path large = directory_ / "large", copy = directory_ / "large-copy";
  for (const auto& path : {large, copy}) {
    std::ofstream(path, std::ios::binary).flush();
    std::filesystem::resize_file(path, std::uintmax_t{64} << 20);
    drop_file_cache(path);
  }
  EXPECT_EQ(find_duplicates(std::vector{identify(large), identify(copy)}), (std::vector<std::size_t>{0, 0}));
  EXPECT_LE(resident_bytes(large), std::uint64_t{1} << 20);
}

TEST(MappedFiles, TheProgramAndItsLibraries) {
  const std::vector<std::filesystem::path> files = mapped_files();
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe");
  EXPECT_NE(std::find(files.begin(), files.end(), self), files.end());
  EXPECT_TRUE(std::is_sorted(files.begin(), files.end()));
  EXPECT_GT(files.size(), 2U);  // libc at least
}

}  // namespace
}  // namespace sparkmpi::ledger
