#pragma once
// Continuous batching: requests join and leave the running batch between steps, and long prompts come in
// pieces, so that no step keeps the others waiting for long.

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "base/clock.hpp"
#include "kernels/communicator.hpp"
#include "kernels/inference/engine.hpp"
#include "kernels/inference/request.hpp"
#include "kernels/stop_signal.hpp"

namespace sparkmpi::kernels::inference {

struct SchedulerOptions {
  std::int64_t concurrency = 1;  ///< requests in flight at once: a client with that many slots, no idle time
  std::int64_t prefill_chunk = 512;  ///< prompt tokens a step takes at most
  std::int64_t depth = 0;            ///< leading prompt tokens that are in the cache before the clock starts
  /// A prompt's last token is what decoding starts from: the step that brings it decodes.
  bool decode_only = false;
  /// Note how clearly each token was chosen (TokenEvent::margin). Steps take longer: they give all logits.
  bool margins = false;
  /// Members that run the same schedule over one model: they stop before the same step, as soon as one of
  /// them is asked to. Null: alone.
  Group* group = nullptr;
};

/// One output token.
struct TokenEvent {
  std::int64_t request;
  std::int32_t id;
  double time_s;                                ///< when the step that made it had ended
  std::optional<double> margin = std::nullopt;  ///< top_margin of its logits, where options ask for it
};

struct StepEvent {
  double start_s, end_s;
  std::int64_t prefill_tokens, decode_tokens;
  StepBytes bytes;  ///< that it had to read at least
};

struct RequestEvent {
  double start_s;  ///< when the client sent it: waiting for room in the KV cache counts
  std::int64_t prompt_tokens;
  std::int64_t output_tokens;  ///< asked for
  bool finished;
};

/// Raw time stamps, from which every metric derives. Requests are numbered as given.
struct RequestLog {
  double start_s = 0, end_s = 0;  ///< first request sent, last step ended
  std::vector<TokenEvent> tokens;
  std::vector<StepEvent> steps;
  std::vector<RequestEvent> requests;
  bool interrupted = false;
};

/// Tokens of KV cache that a request needs: the last output token's keys are never read, nor is what a
/// prefill without output would have answered.
std::int64_t kv_tokens(const Request& request);

/// Runs all requests to their end, or until `stop`. A request is admitted when its whole length fits the KV
/// cache (nothing is ever preempted), in order. The schedule depends on the requests alone, never on time, so
/// that repetitions do the same work. With a depth, all requests have to fit at once (requests ≤
/// concurrency): their first `depth` tokens are prefilled before the log starts. Throws UsageError when a
/// single request is larger than the cache.
/// @param progress called between steps with the output tokens so far.
RequestLog run_requests(Engine& engine, std::span<const Request> requests, const SchedulerOptions& options,
                        const Clock& clock, const StopSignal& stop,
                        const std::function<void(std::int64_t)>& progress = {});

}  // namespace sparkmpi::kernels::inference
