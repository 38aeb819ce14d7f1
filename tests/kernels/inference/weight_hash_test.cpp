#include "kernels/inference/weight_hash.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <cstring>
#include <vector>

#include "kernels/inference/cuda_inference.hpp"

namespace sparkmpi::kernels::inference {
namespace {

std::array<std::uint8_t, 12> bytes_from(std::uint8_t first) {
  std::array<std::uint8_t, 12> row{};
  for (std::uint8_t i = 0; i < row.size(); ++i) row[i] = static_cast<std::uint8_t>(first + 3 * i);
  return row;
}

TEST(WeightHash, EveryByteAndItsPlaceCount) {
  auto row = bytes_from(1);
  const std::uint64_t hash = row_hash(row.data(), row.size(), 0, 5);
  for (std::uint8_t& byte : row) {
    byte ^= 1;
    EXPECT_NE(row_hash(row.data(), row.size(), 0, 5), hash);
    byte ^= 1;
  }
  EXPECT_EQ(row_hash(row.data(), row.size(), 0, 5), hash);
  EXPECT_NE(row_hash(row.data(), row.size(), 0, 6), hash) << "another row";
  EXPECT_NE(row_hash(row.data(), row.size(), 1, 5), hash) << "another plane";
}

TEST(WeightHash, RowsThatChangePlacesShow) {
  const auto a = bytes_from(1), b = bytes_from(77);
  const auto sum = [](const auto& first, const auto& second) {
    return row_hash(first.data(), first.size(), 0, 0) + row_hash(second.data(), second.size(), 0, 1);
  };
  EXPECT_NE(sum(a, b), sum(b, a));
}

TEST(WeightHash, TensorsThatChangePlacesShow) {
  EXPECT_NE(extend_hash(extend_hash(0, 1), 2), extend_hash(extend_hash(0, 2), 1));
}

TEST(WeightHash, LastWordOfARowIsFilledWithZeros) {
  std::array<std::uint8_t, 16> padded{};
  const auto row = bytes_from(9);
  std::memcpy(padded.data(), row.data(), row.size());
  EXPECT_EQ(row_hash(row.data(), row.size(), 0, 3), row_hash(padded.data(), padded.size(), 0, 3));
}

TEST(DeviceKv, BlocksArePaddedToTheKernelsWidths) {
  EXPECT_EQ(device_kv_width(16), 32);
  EXPECT_EQ(device_kv_width(80), 96);
  EXPECT_EQ(device_kv_width(128), 128);
  EXPECT_EQ(device_kv_width(257), 0);
  ModelConfig config;
  config.layers = 3;
  config.kv_heads = 2;
  config.head_dim = 80;
  EXPECT_EQ(device_kv_block_bytes(config, 16, KvType::bf16), 2U * 3 * 2 * 16 * 96 * 2);
  EXPECT_EQ(device_kv_block_bytes(config, 16, KvType::fp8_e4m3), 2U * 3 * 2 * 16 * 96);
}

TEST(WeightHash, ARowIsTheSumOfItsWords) {
  std::vector<unsigned char> bytes(3000);
  for (std::size_t i = 0; i < bytes.size(); ++i) bytes[i] = static_cast<unsigned char>(mix_bits(i));
  for (const std::size_t length : {0, 1, 7, 8, 9, 63, 64, 65, 72, 1000, 2999}) {
    for (const std::uint64_t row : {0ULL, 3ULL, 1ULL << 33U}) {
      std::uint64_t expected = 0;
      for (std::size_t at = 0; at < length; at += 8) {
        std::uint64_t word = 0;
        std::memcpy(&word, bytes.data() + 1 + at, std::min<std::size_t>(8, length - at));
        expected += word_hash(word, 2, row * ((length + 7) / 8) + at / 8);
      }
      EXPECT_EQ(row_hash(bytes.data() + 1, length, 2, row), expected) << length << " bytes of row " << row;
    }
  }
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
