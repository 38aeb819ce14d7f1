#include <algorithm>

#include "kernels/inference/config_fields.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr const char* kField = "quantization_config";

WeightFormat read_awq(const ConfigFields& quantization) {
  std::string version = quantization.text_or("version", "gemm");
  std::ranges::transform(version, version.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? c + 32 : c; });
  if (quantization.whole("bits", 1) != 4 || quantization.whole("group_size", -1) != 128 ||
      version != "gemm" || !quantization.truth("zero_point", true)) {
    throw quantization.bad(kField,
                           "is AWQ of another kind than this engine reads: bits 4, group_size 128, version "
                           "gemm, with zero_point");
  }
  return WeightFormat::int4_awq;
}

WeightFormat read_fp8(const ConfigFields& quantization) {
  if (quantization.has("weight_block_size"))
    throw quantization.bad(kField,
                           "has a weight_block_size; this engine reads FP8 with a scale for each row");
  return WeightFormat::fp8_e4m3;
}

WeightFormat read_compressed_tensors(const ConfigFields& quantization) {
  const auto refused = [&] {
    return quantization.bad(
        kField,
        "is compressed-tensors of another kind than this engine reads: format float-quantized "
        "with 8-bit float weights by channel or tensor");
  };
  if (quantization.text("format") != "float-quantized") throw refused();
  const ConfigFields groups = quantization.object("config_groups");
  for (const auto& [name, group] : quantization.at("config_groups").items()) {
    const ConfigFields weights = groups.object(name.c_str()).object("weights");
    const std::string strategy = weights.text("strategy");
    if (weights.text("type") != "float" || weights.whole("num_bits", 1) != 8 ||
        (strategy != "channel" && strategy != "tensor")) {
      throw refused();
    }
  }
  return WeightFormat::fp8_e4m3;
}

}  // namespace

WeightFormat read_quantization(const ConfigFields& fields) {
  if (!fields.has(kField)) return WeightFormat::bf16;
  const ConfigFields quantization = fields.object(kField);
  const std::string method = quantization.text("quant_method");
  if (method == "awq") return read_awq(quantization);
  if (method == "fp8") return read_fp8(quantization);
  if (method == "compressed-tensors") return read_compressed_tensors(quantization);
  if (method == "mxfp4") return WeightFormat::mxfp4;
  throw fields.bad(
      kField,
      fmt::format("has the method '{}'; this engine reads awq, fp8, compressed-tensors and mxfp4", method));
}

}  // namespace sparkmpi::kernels::inference
