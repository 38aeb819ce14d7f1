#include "kernels/inference/weight_file.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <optional>
#include <set>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "kernels/inference/staged_tensor.hpp"
#include "kernels/inference/weight_hash.hpp"

namespace sparkmpi::kernels::inference {
namespace {

namespace fs = std::filesystem;

/// A file of words that say where they are, on a disk.
class Counted {
 public:
  explicit Counted(std::size_t size)
      : path(fs::path("/var/tmp") / ("weight-file-" + std::to_string(getpid()) + "-" + std::to_string(size))),
        content((size + 7) / 8) {
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = mix_bits(i + size);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(size));
  }
  ~Counted() { fs::remove(path); }
  Counted(const Counted&) = delete;             ///< owns a file
  Counted& operator=(const Counted&) = delete;  ///< owns a file
  const std::byte* bytes() const { return reinterpret_cast<const std::byte*>(content.data()); }
  const fs::path path;
  std::vector<std::uint64_t> content;
};

class WeightFileTest : public testing::TestWithParam<LoadMode> {
 protected:
  /// Skips on a file system without O_DIRECT.
  void open(const fs::path& path) {
    try {
      file_.emplace(path, GetParam(), pool_);
    } catch (const UsageError& error) {
      GTEST_SKIP() << error.what();
    }
  }
  std::string fault(std::uint64_t begin, std::size_t bytes) const {
    std::vector<std::byte> to(bytes);
    try {
      file_->read(begin, to);
    } catch (const Error& error) {
      return error.what();
    }
    return {};
  }
  host::BufferPool pool_;
  std::optional<WeightFile> file_;
};

TEST_P(WeightFileTest, EveryStretchGoesToAnyAddress) {
  constexpr std::size_t kSize = (std::size_t{5} << 20) + 12345;
  const Counted counted(kSize);
  open(counted.path);
  if (!file_) return;
  EXPECT_EQ(file_->size(), kSize);
  const host::Buffer memory(kSize + 3 * 4096);
  // Beginnings, ends and addresses on and off the blocks of a direct read, and all but within one block.
  for (const std::size_t begin : {std::size_t{0}, std::size_t{4096}, std::size_t{4099}, kSize - 100}) {
    for (const std::size_t bytes : {std::size_t{1}, std::size_t{100}, std::size_t{4096}, std::size_t{9000},
                                    std::size_t{5} << 20, kSize}) {
      const std::size_t length = std::min(bytes, kSize - begin);
      for (const std::size_t address : {begin % 4096, std::size_t{0}, std::size_t{64}, std::size_t{7}}) {
        std::byte* const to = memory.data() + 4096 + address;
        std::memset(to - 64, 0x5a, length + 128);
        file_->read(begin, {to, length});
        ASSERT_EQ(std::memcmp(to, counted.bytes() + begin, length), 0)
            << begin << ' ' << length << ' ' << address;
        for (std::size_t around = 1; around <= 64; ++around) {
          ASSERT_EQ(*(to - around), std::byte{0x5a}) << begin << ' ' << length << ' ' << address;
          ASSERT_EQ(to[length + around - 1], std::byte{0x5a}) << begin << ' ' << length << ' ' << address;
        }
      }
    }
  }
  host::BufferPool::Lease buffer(pool_);
  const auto view = file_->view(4099, 3 << 20, buffer);
  EXPECT_EQ(std::memcmp(view.data(), counted.bytes() + 4099, view.size()), 0);
}

TEST_P(WeightFileTest, AFileThatEndsEarlyIsAnError) {
  const Counted counted(100'000);
  open(counted.path);
  if (!file_) return;
  EXPECT_EQ(fault(0, 100'000), "");
  EXPECT_NE(fault(0, 100'001).find("ended early"), std::string::npos);
  EXPECT_NE(fault(50'000, 8 << 20).find("ended early"), std::string::npos);
  fs::resize_file(counted.path, 50'000);
  const std::string told = fault(0, 100'000);
  EXPECT_NE(told.find(counted.path.native()), std::string::npos) << told;
  EXPECT_NE(told.find("ended early"), std::string::npos) << told;
  EXPECT_NE(fault(0, 10).find("was changed"), std::string::npos);
}

TEST_P(WeightFileTest, AFileThatIsWrittenToMeanwhileIsAnError) {
  const Counted counted(100'000);
  open(counted.path);
  if (!file_) return;
  fs::last_write_time(counted.path, fs::last_write_time(counted.path) + std::chrono::seconds(1));
  EXPECT_NE(fault(0, 8192).find("was changed"), std::string::npos);
}

TEST_P(WeightFileTest, AMissingOrEmptyFileIsRefusedAtOnce) {
  EXPECT_THROW(WeightFile("/no/such/file", GetParam(), pool_), UsageError);
  EXPECT_THROW(WeightFile("/var/tmp", GetParam(), pool_), UsageError);
  const Counted counted(0);
  EXPECT_THROW(WeightFile(counted.path, GetParam(), pool_), UsageError);
}

TEST_P(WeightFileTest, AStagedTensorIsThereForAllWhoWantIt) {
  constexpr std::size_t kSize = (std::size_t{9} << 20) + 77, kBegin = 1001, kBytes = kSize - 2 * kBegin;
  const Counted counted(kSize);
  open(counted.path);
  if (!file_) return;
  StagedTensors tensors;
  std::vector<int> same(4);
  {
    std::vector<std::jthread> wanting;
    for (int& good : same) {
      wanting.emplace_back([&] {
        const auto staged = tensors.at(*file_, kBegin, kBytes);
        const auto bytes = staged->bytes();
        good = bytes.size() == kBytes && std::memcmp(bytes.data(), counted.bytes() + kBegin, kBytes) == 0;
      });
    }
  }
  EXPECT_EQ(same, std::vector<int>(4, 1));
  // Those asked for last are kept, and no more.
  const auto first = tensors.at(*file_, kBegin, kBytes);
  EXPECT_EQ(tensors.at(*file_, kBegin, kBytes), first);
  for (std::uint64_t begin = 0; begin < 20; ++begin) tensors.at(*file_, begin, 8);
  EXPECT_NE(tensors.at(*file_, kBegin, kBytes), first);
  // Every one of them learns of a failure.
  const auto beyond = tensors.at(*file_, kSize - 10, 20);
  EXPECT_THROW(beyond->bytes(), Error);
  EXPECT_THROW(beyond->bytes(), Error);
}

INSTANTIATE_TEST_SUITE_P(Modes, WeightFileTest, testing::Values(LoadMode::cached, LoadMode::direct),
                         [](const auto& mode) {
                           return mode.param == LoadMode::cached ? "Cached" : "Direct";
                         });

TEST(ReaderCpus, AreTheTeamsWithEnoughReadsInFlight) {
  EXPECT_EQ(reader_cpus({3}).size(), 8U);
  EXPECT_EQ(reader_cpus({5, 2}), (std::vector<int>{5, 5, 5, 5, 2, 2, 2, 2}));
  EXPECT_EQ(reader_cpus(std::vector<int>(20, 1)).size(), 20U);
}

TEST(BufferPool, GivesABufferAgainButNeverTwice) {
  host::BufferPool pool;
  std::byte* first = nullptr;
  {
    host::BufferPool::Lease lease(pool);
    first = lease.at_least(100);
    first[0] = std::byte{1};
    EXPECT_EQ(lease.at_least(50), first);
    host::BufferPool::Lease other(pool);
    EXPECT_NE(other.at_least(100), first);
  }
  host::BufferPool::Lease one(pool), two(pool);
  const std::set<std::byte*> again{one.at_least(100), two.at_least(100)};
  EXPECT_EQ(again.size(), 2U);
  EXPECT_TRUE(again.contains(first));
  std::byte* const grown = one.at_least(std::size_t{9} << 20);
  grown[(std::size_t{9} << 20) - 1] = std::byte{1};
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
