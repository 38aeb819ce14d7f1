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

#include "kernels/inference/direct_read.hpp"

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

/// All tensors of a model directory, memory-mapped or read past the page cache: model.safetensors, or the
/// shards that model.safetensors.index.json names. Direct reads go on in the background from construction on.
class SafetensorsDirectory {
 public:
  explicit SafetensorsDirectory(const std::filesystem::path& directory, LoadMode mode = LoadMode::mapped);
  ~SafetensorsDirectory();
  SafetensorsDirectory(SafetensorsDirectory&&) noexcept;
  SafetensorsDirectory& operator=(SafetensorsDirectory&&) = delete;       ///< nobody needs it
  SafetensorsDirectory(const SafetensorsDirectory&) = delete;             ///< owns mappings
  SafetensorsDirectory& operator=(const SafetensorsDirectory&) = delete;  ///< owns mappings

  struct Tensor {
    const TensorInfo* info;
    std::span<const std::byte> bytes;
    std::string_view file;  ///< for messages
  };
  struct Description {
    const TensorInfo* info;
    std::string_view file;  ///< for messages
  };
  bool has(const std::string& name) const;
  /// What the header says. Throws UsageError when there is none of that name.
  Description describe(const std::string& name) const;
  /// The same with its bytes; waits until they have been read. Throws Error when they can't be, besides. Any
  /// number of threads may ask.
  Tensor at(const std::string& name) const;
  const std::vector<std::filesystem::path>& files() const { return files_; }

  /// Whether a directory holds weights in this format.
  static bool present(const std::filesystem::path& directory);
  /// The files with its weights, by name, without opening them; empty without weights in this format. Throws
  /// UsageError when the index can't be read.
  static std::vector<std::filesystem::path> list(const std::filesystem::path& directory);

 private:
  class Mapping;
  struct Place {
    std::size_t file;
    TensorInfo info;
  };
  const Place& place_of(const std::string& name) const;
  void wait_for_header(std::size_t file) const;

  std::filesystem::path directory_;
  std::vector<std::filesystem::path> files_;
  std::vector<std::unique_ptr<Mapping>> mappings_;
  std::map<std::string, Place> places_;
  std::unique_ptr<DirectRead> reading_;  ///< into the mappings; null when they are the files themselves
};

}  // namespace sparkmpi::kernels::inference
