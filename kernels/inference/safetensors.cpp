#include "kernels/inference/safetensors.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

using Json = nlohmann::json;

constexpr std::uint64_t kLengthBytes = 8;
// The reference implementation's own bound on the header.
constexpr std::uint64_t kLargestHeader = 100'000'000;

struct DTypeName {
  std::string_view name;
  DType dtype;
  std::uint64_t bytes;
};
constexpr DTypeName kDTypes[] = {
    {"BF16", DType::bf16, 2},  {"F16", DType::f16, 2},         {"F32", DType::f32, 4},
    {"F64", DType::other, 8},  {"I64", DType::other, 8},       {"I32", DType::i32, 4},
    {"I16", DType::other, 2},  {"I8", DType::other, 1},        {"U8", DType::u8, 1},
    {"BOOL", DType::other, 1}, {"F8_E4M3", DType::f8_e4m3, 1}, {"F8_E5M2", DType::other, 1},
    {"U16", DType::other, 2},  {"U32", DType::other, 4},       {"U64", DType::other, 8}};

class Checker {
 public:
  explicit Checker(std::string_view where) : where_(where) {}

  UsageError bad(std::string_view why) const {
    return UsageError(fmt::format("{}: {}; is the download complete?", where_, why));
  }
  UsageError bad(std::string_view tensor, std::string_view why) const {
    return UsageError(fmt::format("{}: tensor '{}' {}; the file is damaged", where_, tensor, why));
  }

  /// @param data_begin, data_bytes where the tensors' bytes lie in the file.
  TensorInfo tensor(const std::string& name, const Json& json, std::uint64_t data_begin,
                    std::uint64_t data_bytes) const {
    if (!json.is_object() || !json.contains("dtype") || !json.contains("shape") ||
        !json.contains("data_offsets") || !json.at("dtype").is_string() || !json.at("shape").is_array()) {
      throw bad(name, "has no dtype, shape or data_offsets");
    }
    TensorInfo info;
    info.dtype_name = json.at("dtype").get<std::string>();
    const auto type = std::ranges::find(kDTypes, info.dtype_name, &DTypeName::name);
    if (type == std::end(kDTypes)) throw bad(name, fmt::format("has the unknown type '{}'", info.dtype_name));
    info.dtype = type->dtype;
    std::uint64_t bytes = type->bytes;
    for (const Json& extent : json.at("shape")) {
      if (!extent.is_number_unsigned()) throw bad(name, "has a shape that is no list of sizes");
      info.shape.push_back(extent.get<std::uint64_t>());
      if (__builtin_mul_overflow(bytes, info.shape.back(), &bytes))
        throw bad(name, "has an impossible shape");
    }
    const Json& offsets = json.at("data_offsets");
    if (!offsets.is_array() || offsets.size() != 2 || !offsets[0].is_number_unsigned() ||
        !offsets[1].is_number_unsigned()) {
      throw bad(name, "has data_offsets that are no pair of positions");
    }
    const auto begin = offsets[0].get<std::uint64_t>(), end = offsets[1].get<std::uint64_t>();
    if (end < begin) throw bad(name, "ends before it begins");
    if (end > data_bytes)
      throw bad(name, fmt::format("reaches {} bytes beyond the end of the file", end - data_bytes));
    if (end - begin != bytes) {
      throw bad(name, fmt::format("has {} bytes where its shape and type {} make {}", end - begin,
                                  info.dtype_name, bytes));
    }
    info.begin = data_begin + begin;
    info.end = data_begin + end;
    return info;
  }

  /// The format wants the tensors to cover the data without holes or overlaps.
  void covers(const std::map<std::string, TensorInfo>& tensors, std::uint64_t begin,
              std::uint64_t end) const {
    std::vector<std::pair<std::uint64_t, const std::string*>> order;
    for (const auto& [name, info] : tensors) order.emplace_back(info.begin, &name);
    std::ranges::sort(
        order, {}, [&](const auto& entry) { return std::pair(entry.first, tensors.at(*entry.second).end); });
    std::uint64_t at = begin;
    for (const auto& [start, name] : order) {
      if (start != at) throw bad(*name, start < at ? "overlaps another one" : "leaves a hole before it");
      at = tensors.at(*name).end;
    }
    if (at != end) throw bad(fmt::format("{} bytes at the end belong to no tensor", end - at));
  }

 private:
  std::string_view where_;
};

std::string read_text(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw UsageError(fmt::format("{}: can't be read", path.string()));
  std::ostringstream text;
  text << file.rdbuf();
  return std::move(text).str();
}

/// Fewer than eight bytes are taken as if zeros followed.
std::uint64_t header_length(std::span<const std::byte> start) {
  std::uint64_t length = 0;
  for (std::size_t i = 0; i < std::min<std::size_t>(kLengthBytes, start.size()); ++i)
    length |= std::to_integer<std::uint64_t>(start[i]) << (8 * i);
  return length;
}

constexpr const char* kSingle = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

/// The files of a directory, in the order of their names, and the file that the index promises for each
/// tensor (empty without one).
std::map<std::string, std::string> read_index(const std::filesystem::path& path) {
  const Json json = Json::parse(read_text(path), nullptr, false);
  if (!json.is_object() || !json.contains("weight_map") || !json.at("weight_map").is_object()) {
    throw UsageError(fmt::format("{}: has no 'weight_map'", path.string()));
  }
  std::map<std::string, std::string> files;
  for (const auto& [tensor, file] : json.at("weight_map").items()) {
    if (!file.is_string() || file.get<std::string>().find('/') != std::string::npos) {
      throw UsageError(
          fmt::format("{}: tensor '{}' is not in a file of this directory", path.string(), tensor));
    }
    files[tensor] = file.get<std::string>();
  }
  return files;
}

}  // namespace

std::map<std::string, TensorInfo> parse_safetensors_header(std::span<const std::byte> start,
                                                           std::uint64_t file_size, std::string_view where) {
  const Checker checker(where);
  if (start.size() < kLengthBytes || file_size < kLengthBytes)
    throw checker.bad("is too short for a safetensors file");
  const std::uint64_t length = header_length(start);
  if (length > kLargestHeader || length > file_size - kLengthBytes || length > start.size() - kLengthBytes) {
    throw checker.bad(fmt::format("says that its header has {} bytes, the file has {}", length, file_size));
  }
  const auto* const text = reinterpret_cast<const char*>(start.data()) + kLengthBytes;
  const Json json = Json::parse(text, text + length, nullptr, false);
  if (json.is_discarded() || !json.is_object()) throw checker.bad("its header is no JSON object");
  const std::uint64_t data_begin = kLengthBytes + length;
  std::map<std::string, TensorInfo> tensors;
  for (const auto& [name, entry] : json.items()) {
    if (name != "__metadata__")
      tensors[name] = checker.tensor(name, entry, data_begin, file_size - data_begin);
  }
  checker.covers(tensors, data_begin, file_size);
  return tensors;
}

namespace {

/// @param promised tensor → file of the index; empty without an index.
std::vector<std::filesystem::path> files_of(const std::filesystem::path& directory,
                                            const std::map<std::string, std::string>& promised) {
  std::set<std::string> names;
  for (const auto& [tensor, file] : promised) names.insert(file);
  if (!std::filesystem::exists(directory / kIndex)) names.insert(kSingle);
  std::vector<std::filesystem::path> files;
  for (const std::string& name : names) files.push_back(directory / name);
  return files;
}

/// What parse_safetensors_header wants to see; of a length that cannot be true no more than the length.
std::vector<std::byte> read_header(const WeightFile& file) {
  std::vector<std::byte> start(std::min<std::uint64_t>(kLengthBytes, file.size()));
  file.read(0, start);
  const std::uint64_t length = header_length(start);
  if (start.size() < kLengthBytes || length > kLargestHeader || length > file.size() - kLengthBytes)
    return start;
  start.resize(kLengthBytes + length);
  file.read(0, start);
  return start;
}

}  // namespace

SafetensorsDirectory::SafetensorsDirectory(const std::filesystem::path& directory, LoadMode mode)
    : directory_(directory) {
  std::map<std::string, std::string> promised;
  if (std::filesystem::exists(directory / kIndex)) promised = read_index(directory / kIndex);
  for (const std::filesystem::path& path : files_of(directory, promised)) {
    const WeightFile& file = *files_.emplace_back(std::make_unique<WeightFile>(path, mode, pool_));
    for (auto& [name, info] : parse_safetensors_header(read_header(file), file.size(), path.string())) {
      if (!tensors_.emplace(name, Tensor{std::move(info), &file}).second)
        throw UsageError(fmt::format("{}: tensor '{}' is in two files", path.string(), name));
    }
  }
  for (const auto& [tensor, file] : promised) {
    if (!has(tensor))
      throw UsageError(fmt::format("{}: tensor '{}' is not there, though the index says so",
                                   (directory / file).string(), tensor));
  }
}

bool SafetensorsDirectory::has(const std::string& name) const {
  return tensors_.contains(name);
}

const SafetensorsDirectory::Tensor& SafetensorsDirectory::at(const std::string& name) const {
  const auto tensor = tensors_.find(name);
  if (tensor == tensors_.end())
    throw UsageError(fmt::format("{}: tensor '{}' is missing", directory_.string(), name));
  return tensor->second;
}

bool SafetensorsDirectory::present(const std::filesystem::path& directory) {
  std::error_code failed;
  return std::filesystem::exists(directory / kSingle, failed) ||
         std::filesystem::exists(directory / kIndex, failed);
}

std::vector<std::filesystem::path> SafetensorsDirectory::list(const std::filesystem::path& directory) {
  if (!present(directory)) return {};
  std::error_code failed;
  const bool indexed = std::filesystem::exists(directory / kIndex, failed);
  return files_of(directory, indexed ? read_index(directory / kIndex) : std::map<std::string, std::string>());
}

}  // namespace sparkmpi::kernels::inference
