#include "kernels/inference/request.hpp"

#include <fmt/format.h>

#include <fstream>
#include <limits>
#include <nlohmann/json.hpp>
#include <random>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

constexpr std::uintmax_t kLargestFile = std::uintmax_t{2} << 30;

std::vector<std::int32_t> parse_ids(const nlohmann::json& object, int vocab) {
  const auto ids = object.find("input_ids");
  if (ids == object.end()) {
    throw UsageError(object.contains("prompt")
                         ? "has a 'prompt' but no 'input_ids': tokenize the data set first (trtllm-bench's "
                           "prepare_dataset does)"
                         : "has no 'input_ids'");
  }
  if (!ids->is_array() || ids->empty()) throw UsageError("'input_ids' is no list of at least one id");
  std::vector<std::int32_t> prompt;
  prompt.reserve(ids->size());
  for (const nlohmann::json& id : *ids) {
    if (!id.is_number_integer() || id.get<std::int64_t>() < 0 || id.get<std::int64_t>() >= vocab) {
      throw UsageError(fmt::format("'input_ids' holds {}, not an id from 0 to {}", id.dump(), vocab - 1));
    }
    prompt.push_back(id.get<std::int32_t>());
  }
  return prompt;
}

Request parse_request(std::string_view line, const RequestLimits& limits) {
  const nlohmann::json object = nlohmann::json::parse(line, nullptr, false);
  if (!object.is_object()) throw UsageError("is no JSON object");
  Request request;
  request.prompt = parse_ids(object, limits.vocab);
  const auto output = object.find("output_tokens");
  if (output == object.end()) throw UsageError("has no 'output_tokens'");
  if (!output->is_number_integer() || output->get<std::int64_t>() < 1 ||
      output->get<std::int64_t>() > std::numeric_limits<std::int32_t>::max()) {
    throw UsageError(fmt::format("'output_tokens' is {}, not a number of at least 1", output->dump()));
  }
  request.output_tokens = output->get<std::int64_t>();
  const auto total = static_cast<std::int64_t>(request.prompt.size()) + request.output_tokens;
  if (limits.max_positions > 0 && total > limits.max_positions) {
    throw UsageError(fmt::format("needs {} tokens with its output, and the model ends at {}", total,
                                 limits.max_positions));
  }
  return request;
}

}  // namespace

std::vector<Request> random_requests(std::int64_t count, std::int64_t prompt_tokens,
                                     std::int64_t output_tokens, int vocab, std::uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<Request> requests(static_cast<std::size_t>(count));
  for (Request& request : requests) {
    request.output_tokens = output_tokens;
    request.prompt.resize(static_cast<std::size_t>(prompt_tokens));
    // Not uniform_int_distribution: its numbers differ between standard libraries.
    for (std::int32_t& id : request.prompt)
      id = static_cast<std::int32_t>(generator() % static_cast<std::uint64_t>(vocab));
  }
  return requests;
}

std::vector<Request> parse_requests(std::string_view text, std::string_view where,
                                    const RequestLimits& limits) {
  std::vector<Request> requests;
  for (std::size_t number = 1; !text.empty(); ++number) {
    const std::size_t end = std::min(text.find('\n'), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + 1, text.size()));
    if (line.find_first_not_of(" \t\r") == std::string_view::npos) continue;
    try {
      requests.push_back(parse_request(line, limits));
    } catch (const UsageError& error) {
      throw UsageError(fmt::format("{}:{}: this line {}", where, number, error.what()));
    }
  }
  if (requests.empty()) throw UsageError(fmt::format("{}: holds no request", where));
  return requests;
}

std::vector<Request> read_requests(const std::filesystem::path& path, const RequestLimits& limits) {
  std::error_code problem;
  const std::uintmax_t size = std::filesystem::file_size(path, problem);
  if (problem) throw UsageError(fmt::format("--dataset {}: {}", path.string(), problem.message()));
  if (size > kLargestFile) throw UsageError(fmt::format("--dataset {}: is larger than 2 GiB", path.string()));
  std::string text(size, '\0');
  std::ifstream file(path, std::ios::binary);
  file.read(text.data(), static_cast<std::streamsize>(size));
  if (!file) throw UsageError(fmt::format("--dataset {}: can't be read", path.string()));
  return parse_requests(text, path.string(), limits);
}

}  // namespace sparkmpi::kernels::inference
