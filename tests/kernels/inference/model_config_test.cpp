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

TEST(ModelConfig, FamiliesBehaveAsTheyDo) {
  const ModelConfig gpt_oss = find_model("gpt-oss-120b", std::nullopt).config;
  EXPECT_EQ(gpt_oss.window_of(0), 128);
  EXPECT_EQ(gpt_oss.window_of(1), 0);
  EXPECT_EQ(gpt_oss.window_of(34), 128);
  EXPECT_EQ(gpt_oss.activation, Activation::swiglu_clamped);
  EXPECT_EQ(gpt_oss.activation_limit, 7);
  EXPECT_TRUE(gpt_oss.attention_sinks && gpt_oss.qkv_bias && gpt_oss.output_bias && gpt_oss.router_bias &&
              gpt_oss.mlp_bias);
  EXPECT_EQ(gpt_oss.experts, 128);
  EXPECT_EQ(gpt_oss.experts_per_token, 4);
  EXPECT_EQ(gpt_oss.rope_scaling, RopeScaling::yarn);
  EXPECT_FALSE(gpt_oss.rope_truncate);
  EXPECT_NEAR(gpt_oss.rope_attention_factor, 1.3465736, 1e-6);
  EXPECT_EQ(gpt_oss.attention_format, WeightFormat::bf16);
  EXPECT_EQ(gpt_oss.mlp_format, WeightFormat::mxfp4);

  const ModelConfig gemma = find_model("Gemma-2B", std::nullopt).config;
  EXPECT_EQ(gemma.activation, Activation::gelu_tanh);
  EXPECT_EQ(gemma.norm_offset, 1);
  EXPECT_EQ(gemma.embedding_scale, 45.25F);  // √2048 = 45.2548… in BF16
  EXPECT_TRUE(gemma.tied_embeddings);

  const ModelConfig phi3 = find_model("Phi-3-mini-4k", std::nullopt).config;
  EXPECT_EQ(phi3.head_dim, 96);
  EXPECT_EQ(phi3.window_of(31), 2047);

  const ModelConfig mixtral = find_model("Mixtral-8x7B", std::nullopt).config;
  EXPECT_EQ(mixtral.experts, 8);
  EXPECT_EQ(mixtral.window_of(0), 0);
  EXPECT_FALSE(mixtral.router_bias || mixtral.qkv_bias);
  EXPECT_EQ(find_model("Meta-Llama-3-70B-AWQ", std::nullopt).config.attention_format, WeightFormat::int4_awq);
}

TEST(ModelConfig, RefusesWhatTheNewFamiliesCannotHave) {
  const auto with = [](const char* family, const nlohmann::json& changes) {
    nlohmann::json json = valid();
    json["model_type"] = family;
    for (const auto& [field, value] : changes.items()) json[field] = value;
    return message_of(json);
  };
  const auto names = [](const std::string& message, std::string_view word) {
    return message.find(word) != std::string::npos && message.find('\n') == std::string::npos;
  };
  EXPECT_PRED2(names, with("mixtral", {}), "num_local_experts");
  EXPECT_PRED2(names, with("mixtral", {{"num_local_experts", 4}, {"num_experts_per_tok", 5}}),
               "num_experts_per_tok");
  EXPECT_PRED2(names, with("phi3", {{"rope_scaling", {{"type", "longrope"}}}}), "longrope");
  EXPECT_PRED2(names, with("phi3", {{"partial_rotary_factor", 0.75}}), "partial_rotary_factor");
  EXPECT_PRED2(names, with("gemma", {{"hidden_act", "relu"}}), "hidden_act");
  EXPECT_PRED2(names, with("gemma", {{"final_logit_softcapping", 30.0}}), "final_logit_softcapping");
  EXPECT_PRED2(names, with("gemma2", {}), "gemma2");
  EXPECT_EQ(with("gemma", {{"hidden_act", "gelu"}}), "");
  const nlohmann::json yarn = {
      {"rope_type", "yarn"}, {"factor", 8}, {"original_max_position_embeddings", 64}};
  const nlohmann::json gpt_oss = {
      {"num_local_experts", 4}, {"num_experts_per_tok", 2}, {"sliding_window", 16}, {"rope_scaling", yarn}};
  EXPECT_EQ(with("gpt_oss", gpt_oss), "");
  const auto gpt_oss_with = [&](const char* field, const nlohmann::json& value) {
    nlohmann::json changes = gpt_oss;
    changes[field] = value;
    return with("gpt_oss", changes);
  };
  EXPECT_PRED2(names, gpt_oss_with("layer_types", {"full_attention", "full_attention"}), "layer_types");
  EXPECT_PRED2(names, gpt_oss_with("swiglu_alpha", 1.0), "swiglu_alpha");
  EXPECT_PRED2(names, gpt_oss_with("rope_scaling", nullptr), "rope_scaling");
  EXPECT_PRED2(names, gpt_oss_with("num_local_experts", 100000), "num_local_experts");
}

TEST(ModelConfig, ReadsTheFormatsThatThereAreAndRefusesOthersByName) {
  const auto parsed = [](const nlohmann::json& quantization) {
    nlohmann::json json = valid();
    json["hidden_size"] = json["intermediate_size"] = 256;
    json["quantization_config"] = quantization;
    return json;
  };
  const auto format = [&](const nlohmann::json& quantization) {
    return parse_model_config(parsed(quantization).dump(), "config.json").mlp_format;
  };
  const nlohmann::json awq = {{"quant_method", "awq"}, {"bits", 4}, {"group_size", 128}, {"version", "GEMM"}};
  EXPECT_EQ(format(awq), WeightFormat::int4_awq);
  EXPECT_EQ(format({{"quant_method", "fp8"}, {"activation_scheme", "static"}}), WeightFormat::fp8_e4m3);
  EXPECT_EQ(format({{"quant_method", "mxfp4"}}), WeightFormat::mxfp4);
  const nlohmann::json weights = {{"num_bits", 8}, {"type", "float"}, {"strategy", "channel"}};
  nlohmann::json compressed = {{"quant_method", "compressed-tensors"},
                               {"format", "float-quantized"},
                               {"config_groups", {{"group_0", {{"weights", weights}}}}}};
  EXPECT_EQ(format(compressed), WeightFormat::fp8_e4m3);

  const auto refused = [&](nlohmann::json quantization, const char* field, const nlohmann::json& value) {
    quantization[field] = value;
    const std::string message = message_of(parsed(quantization));
    EXPECT_NE(message.find("quantization_config"), std::string::npos) << message << quantization;
  };
  refused(awq, "bits", 8);
  refused(awq, "group_size", 64);
  refused(awq, "version", "gemv");
  refused(awq, "zero_point", false);
  refused({{"quant_method", "fp8"}}, "weight_block_size", {128, 128});
  refused({{"quant_method", "gptq"}}, "bits", 4);
  refused(compressed, "format", "pack-quantized");
  compressed["config_groups"]["group_0"]["weights"]["num_bits"] = 4;
  refused(compressed, "ignore", {"lm_head"});
  // Rows that groups do not divide: hidden 64.
  nlohmann::json json = valid();
  json["quantization_config"] = awq;
  EXPECT_NE(message_of(json).find("128 columns"), std::string::npos);
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
                                   {"SmolLM2-135M", 0.27, 22.5},
                                   {"Meta-Llama-3-70B-AWQ", 141.1, 320},
                                   {"Mixtral-8x7B", 93.4, 128},
                                   {"Phi-3-mini-4k", 7.64, 384},
                                   {"Gemma-2B", 5.01, 18},
                                   {"gpt-oss-120b", 65.2, 72}};
  EXPECT_EQ(model_catalog().size(), sizes.size());
  for (const Size& size : sizes) {
    const ModelConfig config = find_model(size.name, std::nullopt).config;
    const double bytes = config.mlp_format == WeightFormat::mxfp4
                             ? static_cast<double>(config.weight_bytes())
                             : 2 * static_cast<double>(config.parameters());
    EXPECT_NEAR(1e-9 * bytes, size.gigabytes, 0.005 * size.gigabytes) << size.name;
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
