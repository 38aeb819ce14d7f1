#include "kernels/inference/request_metrics.hpp"

#include <fmt/format.h>

#include <cmath>
#include <limits>

#include "base/error.hpp"
#include "kernels/device/gpu_state.hpp"

namespace sparkmpi::kernels::inference {
namespace {

using results::Better;
using results::Origin;

constexpr double kNone = std::numeric_limits<double>::quiet_NaN();
constexpr double kImplausible = 1.3;

struct RequestTimes {
  double first_s = kNone, last_s = kNone;
  std::int64_t tokens = 0;
};

/// Tokens and time of the steps that did one kind of work only.
struct Work {
  double tokens = 0, seconds = 0, bytes = 0, steps = 0;
  double rate() const { return seconds > 0 ? tokens / seconds : kNone; }
};

std::vector<RequestTimes> times_of(const RequestLog& log, Recorder& recorder) {
  std::vector<RequestTimes> times(log.requests.size());
  std::vector<double>& gaps = recorder.series("itl_s", "itl");
  for (const TokenEvent& token : log.tokens) {
    RequestTimes& request = times[static_cast<std::size_t>(token.request)];
    if (request.tokens++ == 0) {
      request.first_s = token.time_s;
    } else {
      gaps.push_back(token.time_s - request.last_s);
    }
    request.last_s = token.time_s;
  }
  return times;
}

void record_tokens(const RequestLog& log, const LogContext& context, Recorder& recorder) {
  std::vector<double>& time = recorder.series("token_time_s", "token");
  std::vector<double>& request = recorder.series("token_request", "token");
  std::vector<double>& repetition = recorder.series("token_repetition", "token");
  for (const TokenEvent& token : log.tokens) {
    time.push_back(token.time_s);
    request.push_back(static_cast<double>(token.request));
    repetition.push_back(static_cast<double>(context.repetition));
    if (context.save_tokens) recorder.series("token_id", "token").push_back(token.id);
    if (token.margin) recorder.series("token_margin", "token").push_back(*token.margin);
  }
}

void record_requests(const RequestLog& log, const LogContext& context, Recorder& recorder) {
  std::vector<RequestTimes> times(log.requests.size());
  if (context.decodes) times = times_of(log, recorder);
  for (std::size_t i = 0; i < times.size(); ++i) {
    const RequestEvent& request = log.requests[i];
    const auto put = [&](std::string_view metric, double value) {
      recorder.series(metric, "request").push_back(value);
    };
    put("request_repetition", static_cast<double>(context.repetition));
    put("request_start_s", request.start_s);
    put("request_prompt_tokens", static_cast<double>(request.prompt_tokens));
    put("request_output_tokens", static_cast<double>(times[i].tokens));
    if (!context.decodes) continue;
    if (context.prefills) put("ttft_s", times[i].first_s - request.start_s);
    const bool paced = request.finished && times[i].tokens > 1;
    put("tpot_s",
        paced ? (times[i].last_s - times[i].first_s) / static_cast<double>(times[i].tokens - 1) : kNone);
    put("e2e_latency_s", request.finished ? times[i].last_s - request.start_s : kNone);
  }
}

void record_steps(const RequestLog& log, const LogContext& context, Recorder& recorder, Work& prefill,
                  Work& decode) {
  for (const StepEvent& step : log.steps) {
    const auto put = [&](std::string_view metric, double value) {
      recorder.series(metric, "step").push_back(value);
    };
    const double seconds = step.end_s - step.start_s,
                 bytes = static_cast<double>(step.bytes.weights + step.bytes.kv);
    put("step_repetition", static_cast<double>(context.repetition));
    put("step_start_s", step.start_s);
    put("step_time_s", seconds);
    if (context.answers) {
      put("step_prefill_tokens", static_cast<double>(step.prefill_tokens));
      put("step_decode_tokens", static_cast<double>(step.decode_tokens));
    }
    put("step_bytes", bytes);
    if (step.prefill_tokens > 0 && step.decode_tokens > 0) continue;  // mixed: neither one's rate
    Work& work = step.prefill_tokens > 0 ? prefill : decode;
    work.tokens += static_cast<double>(step.prefill_tokens + step.decode_tokens);
    work.seconds += seconds;
    work.bytes += bytes;
    ++work.steps;
  }
}

}  // namespace

const std::array<results::MetricInfo, 43> kMetrics = {{
    {"output_tokens_per_s", "1/s", Better::higher, Origin::derived,
     "all output tokens / wall time of a repetition"},
    {"requests_per_s", "1/s", Better::higher, Origin::derived,
     "finished requests / wall time of a repetition"},
    {"prefill_tokens_per_s", "1/s", Better::higher, Origin::derived,
     "prompt tokens / time of the steps that only prefill"},
    {"decode_tokens_per_s", "1/s", Better::higher, Origin::derived,
     "output tokens / time of the steps that only decode"},
    {"decode_bytes_per_s", "B/s", Better::higher, Origin::derived,
     "bytes that decode steps must read / their time"},
    {"mbu_measured", "1", Better::higher, Origin::derived,
     "decode_bytes_per_s / read_bandwidth_bytes_per_s of the same run"},
    {"mbu_datasheet", "1", Better::higher, Origin::derived,
     "decode_bytes_per_s / the memory bandwidth of the device's datasheet"},
    {"energy_per_output_token_j", "J", Better::lower, Origin::derived,
     "the GPU's energy counter over a repetition / its output tokens"},
    {"datasheet_bandwidth_bytes_per_s", "B/s", Better::neither, Origin::assumed,
     "memory bandwidth that the device's maker gives"},
    {"wall_time_s", "s", Better::lower, Origin::measured,
     "a repetition: first request sent to last step ended"},
    {"read_bandwidth_bytes_per_s", "B/s", Better::neither, Origin::measured,
     "best read of as many bytes as a decode step reads, same threads, just before"},
    {"weights_bytes", "B", Better::neither, Origin::derived, "memory held by weights"},
    {"weights_read_bytes", "B", Better::neither, Origin::derived,
     "weights that a decode step reads (no input embedding)"},
    {"weights_load_s", "s", Better::lower, Origin::measured, "reading or making the weights"},
    {"kv_cache_bytes", "B", Better::neither, Origin::derived, "memory held by the KV cache"},
    {"kv_cache_tokens", "1", Better::neither, Origin::derived, "tokens that the KV cache holds"},
    {"kv_cache_peak_tokens", "1", Better::neither, Origin::measured,
     "most tokens reserved in it at once, in whole blocks"},
    {"ttft_s", "s", Better::lower, Origin::derived, "time to first token: first token - request's start"},
    {"tpot_s", "s", Better::lower, Origin::derived,
     "time per output token of a request: (last - first) / (tokens - 1)"},
    {"e2e_latency_s", "s", Better::lower, Origin::derived, "last token - request's start"},
    {"itl_s", "s", Better::lower, Origin::derived,
     "inter-token latency: each gap between tokens of a request, pooled"},
    {"request_repetition", "1", Better::neither, Origin::measured, "which repetition a request belongs to"},
    {"request_start_s", "s", Better::neither, Origin::measured,
     "when the client sent it, since the run's start"},
    {"request_prompt_tokens", "1", Better::neither, Origin::measured, "its prompt's length, depth included"},
    {"request_output_tokens", "1", Better::neither, Origin::measured, "tokens it got"},
    {"token_time_s", "s", Better::neither, Origin::measured,
     "when an output token was there, since the run's start"},
    {"token_request", "1", Better::neither, Origin::measured,
     "the request it belongs to, within its repetition"},
    {"token_repetition", "1", Better::neither, Origin::measured, "the repetition it belongs to"},
    {"token_id", "1", Better::neither, Origin::measured, "its id (--save-tokens)"},
    {"token_margin", "1", Better::neither, Origin::measured,
     "its logit above the second largest, in standard deviations of the logits (--save-margins)"},
    {"step_start_s", "s", Better::neither, Origin::measured,
     "start of a forward step, since the run's start"},
    {"step_time_s", "s", Better::lower, Origin::measured, "its duration"},
    {"step_prefill_tokens", "1", Better::neither, Origin::measured, "prompt tokens in it"},
    {"step_decode_tokens", "1", Better::neither, Origin::measured, "output tokens in it"},
    {"step_bytes", "B", Better::neither, Origin::derived, "weights and KV that it has to read at least"},
    {"step_repetition", "1", Better::neither, Origin::measured, "the repetition it belongs to"},
    {"verification_deviation", "1", Better::neither, Origin::measured,
     "largest difference of logits between prefill and decode of the same tokens, in their standard "
     "deviations; with experts, of texts that take every one of them"},
    {"verification_routed_deviation", "1", Better::neither, Origin::measured,
     "the same where routers choose the experts, in the text that agrees best"},
    kSmClock,
    kMemoryClock,
    kPower,
    kTemperature,
    kThrottled,
}};

void record_log(const RequestLog& log, const LogContext& context, Recorder& recorder) {
  if (context.answers) {
    if (context.decodes) record_tokens(log, context, recorder);
    record_requests(log, context, recorder);
  }
  Work prefill, decode;
  record_steps(log, context, recorder, prefill, decode);

  const auto put = [&](std::string_view metric, double value) {
    recorder.series(metric, "repetition").push_back(value);
  };
  const double wall = log.end_s - log.start_s;
  std::int64_t finished = 0;
  for (const RequestEvent& request : log.requests) finished += request.finished ? 1 : 0;
  const double decode_bytes = decode.seconds > 0 ? decode.bytes / decode.seconds : kNone;
  const double mbu = decode_bytes / context.read_bandwidth_bytes_per_s;
  if (context.answers) {
    if (context.decodes)
      put("output_tokens_per_s", wall > 0 ? static_cast<double>(log.tokens.size()) / wall : kNone);
    put("requests_per_s", wall > 0 ? static_cast<double>(finished) / wall : kNone);
    if (context.prefills) put("prefill_tokens_per_s", prefill.rate());
    if (context.decodes) put("decode_tokens_per_s", decode.rate());
  }
  if (context.decodes) {
    put("decode_bytes_per_s", decode_bytes);
    put("mbu_measured", mbu);
  }
  if (context.decodes && !std::isnan(context.datasheet_bytes_per_s))
    put("mbu_datasheet", decode_bytes / context.datasheet_bytes_per_s);
  if (context.decodes && !std::isnan(context.energy_j)) {
    // The counter moves some ten times a second: in a short repetition perhaps not at all, which says nothing.
    const bool moved = context.energy_j > 0 && !log.tokens.empty();
    put("energy_per_output_token_j",
        moved ? context.energy_j / static_cast<double>(log.tokens.size()) : kNone);
  }
  put("wall_time_s", wall);
  if (mbu > kImplausible) {
    throw Error(
        fmt::format("decoding claims {:.1f} GB/s, {:.2f} times the read bandwidth measured in the same run: "
                    "one of the two "
                    "is wrong, most likely because something else ran meanwhile",
                    decode_bytes * 1e-9, mbu));
  }
}

}  // namespace sparkmpi::kernels::inference
