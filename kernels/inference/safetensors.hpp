#pragma once
// The safetensors format: an 8-byte little-endian header length, a JSON header, then the tensors' bytes
// (https://github.com/huggingface/safetensors, "Format").

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/inference/weight_file.hpp"

namespace sparkmpi::kernels::inference {

enum class DType : std::uint8_t { bf16, f16, f32, u8, i32, f8_e4m3, other };

struct TensorInfo {
  DType dtype = DType::other;
  std::string dtype_name;            ///< as the file says it
  std::vector<std::uint64_t> shape;  ///< outermost first
  std::uint64_t begin = 0, end = 0;  ///< byte range in the file
};

/// Parses and validates the header at the start of a file. @param start at least the whole header, or all
/// there is of a shorter file.
/// @param file_size the file's real size. @param where names it in messages. Throws UsageError, naming tensor
/// and fault, for lengths beyond the file, offsets that run backwards, overlap, leave holes or the file, and
/// sizes that contradict shape and type.
std::map<std::string, TensorInfo> parse_safetensors_header(std::span<const std::byte> start,
                                                           std::uint64_t file_size, std::string_view where);

/// All tensors of a model directory: model.safetensors, or the shards that model.safetensors.index.json
/// names.
class SafetensorsDirectory {
 public:
  /// Throws UsageError when a file or its header can't be read.
  explicit SafetensorsDirectory(const std::filesystem::path& directory, LoadMode mode = LoadMode::cached);

  struct Tensor {
    TensorInfo info;
    const WeightFile* file;  ///< holds its bytes
  };
  bool has(const std::string& name) const;
  /// Throws UsageError when there is none of that name.
  const Tensor& at(const std::string& name) const;
  const std::vector<std::unique_ptr<WeightFile>>& files() const { return files_; }

  /// Whether a directory holds weights in this format.
  static bool present(const std::filesystem::path& directory);
  /// The files with its weights, by name, without opening them; empty without weights in this format. Throws
  /// UsageError when the index can't be read.
  static std::vector<std::filesystem::path> list(const std::filesystem::path& directory);

 private:
  std::filesystem::path directory_;
  host::BufferPool pool_;  ///< of the files
  std::vector<std::unique_ptr<WeightFile>> files_;
  std::map<std::string, Tensor> tensors_;
};

}  // namespace sparkmpi::kernels::inference
