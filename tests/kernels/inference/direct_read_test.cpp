#include "kernels/inference/direct_read.hpp"

#include <gtest/gtest.h>
#include <unistd.h>

#include <cstring>
#include <fstream>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "kernels/host/buffer.hpp"
#include "kernels/inference/weight_hash.hpp"

namespace sparkmpi::kernels::inference {
namespace {

namespace fs = std::filesystem;

/// A file of words that say where they are, on a disk.
class Counted {
 public:
  explicit Counted(std::size_t size)
      : path(fs::path("/var/tmp") / ("direct-read-" + std::to_string(getpid()) + "-" + std::to_string(size))),
        content((size + 7) / 8) {
    for (std::size_t i = 0; i < content.size(); ++i) content[i] = mix_bits(i + size);
    std::ofstream(path, std::ios::binary)
        .write(reinterpret_cast<const char*>(content.data()), static_cast<std::streamsize>(size));
  }
  ~Counted() { fs::remove(path); }
  Counted(const Counted&) = delete;             ///< owns a file
  Counted& operator=(const Counted&) = delete;  ///< owns a file
  const fs::path path;
  std::vector<std::uint64_t> content;
};

std::unique_ptr<DirectRead> reading(std::vector<DirectRead::File> files) {
  try {
    return std::make_unique<DirectRead>(std::move(files));
  } catch (const UsageError&) {
    return nullptr;  // a file system without O_DIRECT
  }
}

TEST(DirectReadTest, BytesAreThereOnceTheyWereWaitedFor) {
  constexpr std::size_t kLong = (std::size_t{40} << 20) + 12345, kShort = 100;
  const Counted first(kLong), second(kShort);
  const host::Buffer one(kLong + kDirectAlignment), two(kShort + kDirectAlignment);
  const auto read = reading({{first.path, kLong, one.data()}, {second.path, kShort, two.data()}});
  if (!read) GTEST_SKIP() << "/var/tmp has no O_DIRECT";
  std::vector<int> same(4);
  {
    std::vector<std::jthread> waiting;
    for (std::size_t i = 0; i < same.size(); ++i) {
      waiting.emplace_back([&, i] {
        const std::size_t begin = kLong / 4 * i, end = i == 3 ? kLong : kLong / 4 * (i + 1);
        read->wait(0, begin, end);
        same[i] =
            std::memcmp(one.data() + begin, reinterpret_cast<const std::byte*>(first.content.data()) + begin,
                        end - begin) == 0;
      });
    }
  }
  EXPECT_EQ(same, std::vector<int>(4, 1));
  read->wait(1, 0, kShort);
  EXPECT_EQ(std::memcmp(two.data(), second.content.data(), kShort), 0);
}

TEST(DirectReadTest, AFileThatIsShorterThanItWasIsAnError) {
  const Counted file(std::size_t{9} << 20);
  const std::size_t said = std::size_t{64} << 20;
  const host::Buffer memory(said);
  const auto read = reading({{file.path, said, memory.data()}});
  if (!read) GTEST_SKIP() << "/var/tmp has no O_DIRECT";
  EXPECT_NO_THROW(read->wait(0, 0, std::size_t{8} << 20));
  EXPECT_THROW(read->wait(0, 0, said), Error);
}

TEST(DirectReadTest, AMissingFileIsRefusedAtOnce) {
  EXPECT_THROW(DirectRead({{"/no/such/file", 1, nullptr}}), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
