#include "kernels/inference/model_config.hpp"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "base/error.hpp"
#include "kernels/inference/model_catalog.hpp"

namespace sparkmpi::kernels::inference {
namespace {

nlohmann::json valid() {
  return nlohmann::json::parse(
      R"({"model_type": "llama", "num_hidden_layers": 2, "hidden_size": 64, "intermediate_size": 128,
    "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 100, "max_position_embeddings": 256, "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0, "tie_word_embeddings": true, "hidden_act": "silu"})");
}

std::string message_of(const nlohmann::json& json) {
  try {
    parse_model_config(json.dump(), "config.json");
  } catch (const UsageError& error) {
    return error.what();
  }
  return {};
}

TEST(ModelConfig, ReadsAShape) {
  const ModelConfig config = parse_model_config(valid().dump(), "config.json");
  EXPECT_EQ(config.head_dim, 16);
  EXPECT_EQ(config.kv_heads, 2);
  EXPECT_TRUE(config.tied_embeddings);
  EXPECT_EQ(config.kv_bytes_per_token(), 2U * 2 * 2 * 16 * 2);
}

TEST(ModelConfig, NamesTheFieldThatIsMissing) {
  for (const char* field : {"model_type", "num_hidden_layers", "hidden_size", "intermediate_size",
                            "num_attention_heads", "vocab_size"}) {
    nlohmann::json json = valid();
    json.erase(field);
    const std::string message = message_of(json);
    EXPECT_NE(message.find(field), std::string::npos) << message;
    EXPECT_NE(message.find("config.json"), std::string::npos) << message;
    EXPECT_EQ(message.find('\n'), std::string::npos) << message;
  }
}

TEST(ModelConfig, RefusesSenselessValues) {
  const std::vector<std::pair<const char*, nlohmann::json>> changes = {
      {"num_hidden_layers", 0},   {"hidden_size", -64},
      {"num_attention_heads", 3}, {"num_key_value_heads", 3},
      {"vocab_size", "many"},     {"model_type", "mamba"},
      {"rms_norm_eps", -1},       {"hidden_act", "gelu"},
      {"rope_theta", 0},          {"num_hidden_layers", 1e30},
      {"intermediate_size", 2.5}, {"rope_scaling", {{"rope_type", "yarn"}, {"factor", 4}}},
  };
  for (const auto& [field, value] : changes) {
    nlohmann::json json = valid();
    json[field] = value;
    EXPECT_FALSE(message_of(json).empty()) << field << " = " << value;
  }
  EXPECT_THROW(parse_model_config("{", "config.json"), UsageError);
  EXPECT_THROW(parse_model_config("[]", "config.json"), UsageError);
}

/// The sizes of shared knowledge about the models: BF16 weights in GB and KV in KiB a token.
TEST(ModelCatalog, ShapesHaveTheSizesThatTheirModelsHave) {
  struct Size {
    std::string name;
    double gigabytes, kv_kib;
  };
  const std::vector<Size> sizes = {{"DeepSeek-R1-Distill-Qwen-7B", 15.23, 56},
                                   {"Qwen2.5-72B-Instruct", 145.4, 320},
                                   {"Meta-Llama-3-8B", 16.06, 128},
                                   {"Meta-Llama-3-70B", 141.1, 320},
                                   {"Mistral-7B-v0.3", 14.50, 128},
                                   {"Qwen2-1.5B", 3.09, 28},
                                   {"SmolLM2-135M", 0.27, 22.5}};
  EXPECT_EQ(model_catalog().size(), sizes.size());
  for (const Size& size : sizes) {
    const ModelConfig config = find_model(size.name, std::nullopt).config;
    EXPECT_NEAR(2e-9 * static_cast<double>(config.parameters()), size.gigabytes, 0.005 * size.gigabytes)
        << size.name;
    EXPECT_EQ(static_cast<double>(config.kv_bytes_per_token()) / 1024, size.kv_kib) << size.name;
  }
}

TEST(ModelCatalog, FindsDirectoriesAndSaysWhatIsNear) {
  const std::string fixtures = std::string(SPARKMPI_FIXTURES) + "/hf";
  EXPECT_TRUE(find_model("llama-gqa-tied", fixtures).has_weights);
  EXPECT_TRUE(find_model(fixtures + "/llama-gqa-tied", std::nullopt).has_weights);
  EXPECT_TRUE(find_model("llama-gqa-tied", "/nowhere:" + fixtures + "/llama-gqa-tied").has_weights);
  EXPECT_FALSE(find_model("SmolLM2-135M", fixtures).has_weights);
  try {
    find_model("SmolLM2-136M", std::nullopt);
    ADD_FAILURE();
  } catch (const UsageError& error) {
    EXPECT_NE(std::string(error.what()).find("did you mean 'SmolLM2-135M'"), std::string::npos)
        << error.what();
  }
  EXPECT_THROW(find_model("/no/such/directory", std::nullopt), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
