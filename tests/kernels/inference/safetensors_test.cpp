#include "kernels/inference/safetensors.hpp"

#include <gtest/gtest.h>

#include <cstring>
#include <fstream>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

std::vector<std::byte> file_of(const std::string& header, std::size_t data, std::uint64_t claimed = ~0ULL) {
  const std::uint64_t length = claimed == ~0ULL ? header.size() : claimed;
  std::vector<std::byte> bytes(8 + header.size() + data);
  std::memcpy(bytes.data(), &length, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

std::string fault_of(const std::vector<std::byte>& bytes) {
  try {
    parse_safetensors_header(bytes, bytes.size(), "m.safetensors");
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

constexpr const char* kTwo =
    R"({"__metadata__":{"format":"pt"},"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[],"data_offsets":[12,16]}})";

TEST(Safetensors, ReadsAHeader) {
  const auto bytes = file_of(kTwo, 16);
  const auto tensors = parse_safetensors_header(bytes, bytes.size(), "m");
  ASSERT_EQ(tensors.size(), 2U);
  EXPECT_EQ(tensors.at("a").shape, (std::vector<std::uint64_t>{2, 3}));
  EXPECT_EQ(tensors.at("b").end - tensors.at("b").begin, 4U);
}

TEST(Safetensors, LiesAreFoundAndNamed) {
  const std::vector<std::pair<std::string, std::size_t>> lies = {
      {R"({"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,14]}})", 14},  // size contradicts the shape
      {R"({"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[0,12]}})", 4},   // beyond the file
      {R"({"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[12,0]}})", 12},  // backwards
      {R"({"a":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]}})", 16},  // a hole
      {R"({"a":{"dtype":"BF16","shape":[2],"data_offsets":[0,4]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[2,6]}})",
       6},
      {R"({"a":{"dtype":"BF16","shape":[-2],"data_offsets":[0,4]}})", 4},
      {R"({"a":{"dtype":"BF16","shape":[4611686018427387904,4],"data_offsets":[0,0]}})", 0},
      {R"({"a":{"dtype":"BF16","shape":"x","data_offsets":[0,4]}})", 4},
      {R"({"a":{"dtype":"BF16","shape":[2]}})", 4},
      {R"({"a":{"dtype":3,"shape":[2],"data_offsets":[0,4]}})", 4},
      {R"({"a":7})", 0},
      {R"([])", 0},
      {R"({"a")", 0},
  };
  for (const auto& [header, data] : lies) {
    const std::string fault = fault_of(file_of(header, data));
    EXPECT_FALSE(fault.empty()) << header;
    EXPECT_NE(fault.find("m.safetensors"), std::string::npos) << fault;
    EXPECT_EQ(fault.find('\n'), std::string::npos) << fault;
  }
}

TEST(Safetensors, TruncatedFilesAreRefused) {
  const auto whole = file_of(kTwo, 16);
  for (std::size_t length = 0; length < whole.size(); ++length)
    EXPECT_FALSE(fault_of({whole.begin(), whole.begin() + static_cast<std::ptrdiff_t>(length)}).empty())
        << length;
  EXPECT_FALSE(fault_of(file_of(kTwo, 16, 1ULL << 60)).empty());
}

TEST(Safetensors, ShardsAreFoundThroughTheirIndex) {
  const SafetensorsDirectory shards(std::string(SPARKMPI_FIXTURES) + "/hf/mistral-window-sharded");
  EXPECT_EQ(shards.files().size(), 4U);
  EXPECT_TRUE(shards.has("model.embed_tokens.weight"));
  EXPECT_THROW(shards.at("no.such.tensor"), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
