#pragma once
// What the engine is asked to do: prompts and how many tokens to answer with.

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::kernels::inference {

struct Request {
  std::vector<std::int32_t> prompt;  ///< token ids, at least one
  std::int64_t output_tokens = 0;    ///< 0: the prompt is prefilled and that is all
};

/// What a request may contain.
struct RequestLimits {
  int vocab = 0;                   ///< ids lie in [0, vocab)
  std::int64_t max_positions = 0;  ///< prompt and output together; 0: no limit
};

/// `count` requests of fixed lengths with ids drawn uniformly. The same seed gives the same ids everywhere.
std::vector<Request> random_requests(std::int64_t count, std::int64_t prompt_tokens,
                                     std::int64_t output_tokens, int vocab, std::uint64_t seed);

/// Requests as `trtllm-bench` takes them: one JSON object a line with `input_ids` and `output_tokens`
/// (`task_id` is ignored, `prompt` without ids needs a tokenizer and is refused). Empty lines are skipped.
/// @param where names the source; faults are UsageErrors with "where:line: …". No request at all is one, too.
std::vector<Request> parse_requests(std::string_view text, std::string_view where,
                                    const RequestLimits& limits);

/// parse_requests of a file, at most 2 GiB.
std::vector<Request> read_requests(const std::filesystem::path& path, const RequestLimits& limits);

}  // namespace sparkmpi::kernels::inference
