#include "cli/model_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "base/error.hpp"
#include "cli/list_command.hpp"
#include "kernels/inference/model_catalog.hpp"
#include "kernels/inference/model_shard.hpp"

namespace sparkmpi::cli {
namespace {

using testing::HasSubstr;
using testing::StartsWith;

constexpr std::uint64_t kGib = std::uint64_t{1} << 30;

/// A model's row by the header's names.
std::map<std::string, std::string> row_of(const Rows& rows, const std::string& model) {
  std::map<std::string, std::string> cells;
  for (const auto& row : rows.rows) {
    EXPECT_EQ(row.size(), rows.header.size());
    if (row.front() != model) continue;
    for (std::size_t i = 0; i < row.size(); ++i) cells[rows.header[i]] = row[i];
  }
  return cells;
}

TEST(ModelList, SaysWithHowManyRanksAModelWouldFit) {
  const Rows rows = model_list({{"host", 24 * kGib}, {"cuda:0", 200 * kGib}}, 1);
  EXPECT_EQ(rows.rows.size(), kernels::inference::model_catalog().size());
  auto row = row_of(rows, "Meta-Llama-3-70B");
  EXPECT_EQ(row["tp"], "1");
  EXPECT_THAT(row["host"], StartsWith("no: 37.0 GiB of weights in awq"));
  EXPECT_THAT(row["host"], HasSubstr("with --tp 2"));
  EXPECT_THAT(row["cuda:0"], StartsWith("bf16, "));
  EXPECT_THAT(row["cuda:0"], testing::Not(HasSubstr("--tp")));
}

TEST(ModelList, ShowsOneMembersPart) {
  const kernels::inference::ModelConfig config =
      kernels::inference::find_model("Meta-Llama-3-8B", std::nullopt).config;
  const auto member = kernels::inference::shard_model(config, {0, 2});
  const auto tokens = (24 * kGib - member.weight_bytes) / member.local.kv_bytes_per_token();
  auto row = row_of(model_list({{"cuda:0", 24 * kGib}}, 2), "Meta-Llama-3-8B");
  EXPECT_EQ(row["tp"], "2");
  EXPECT_EQ(row["weights"], "8.56 GB");
  EXPECT_NEAR(1e-9 * static_cast<double>(member.weight_bytes), 8.56, 0.005);
  EXPECT_EQ(row["kv_per_token"], "64.0 KiB");
  EXPECT_EQ(row["cuda:0"], "bf16, " + std::to_string(tokens) + " tokens");
}

TEST(ModelList, AShapeThatCannotBeDividedSaysSoInItsRow) {
  const Rows rows = model_list({{"host", 24 * kGib}}, 10);
  auto row = row_of(rows, "SmolLM2-135M");
  EXPECT_THAT(row["tp"], HasSubstr("SmolLM2-135M has 9 query heads"));
  EXPECT_EQ(row["weights"], "-");
  EXPECT_EQ(row["host"], "-");
  EXPECT_EQ(row_of(rows, "Meta-Llama-3-8B")["tp"], "10");
}

TEST(ListCommand, RanksAreOfModelsAlone) {
  EXPECT_THROW(list_command({"models", "--tp", "0"}), UsageError);
  EXPECT_THROW(list_command({"models", "--tp", "two"}), UsageError);
  EXPECT_THROW(list_command({"kernels", "--tp", "2"}), UsageError);
  EXPECT_EQ(list_command({"models", "--tp", "2", "--format", "csv"}), 0);
}

}  // namespace
}  // namespace sparkmpi::cli
