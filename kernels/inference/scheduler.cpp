#include "kernels/inference/scheduler.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.hpp"
#include "kernels/inference/logits.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// A request in flight.
struct Active {
  std::size_t request = 0;
  int sequence = 0;
  std::size_t prefilled = 0;  ///< tokens of the prompt that the cache holds
  std::int64_t produced = 0;
  std::int32_t last = 0;
  bool admitted = false;
};

class Scheduler {
 public:
  Scheduler(Engine& engine, std::span<const Request> requests, const SchedulerOptions& options,
            const Clock& clock)
      : engine_(engine), requests_(requests), options_(options), clock_(clock) {}
  ~Scheduler() {
    for (const Active& active : active_) {
      if (active.admitted) engine_.kv().close(active.sequence);
    }
  }
  Scheduler(const Scheduler&) = delete;             ///< owns sequences of the cache
  Scheduler& operator=(const Scheduler&) = delete;  ///< owns sequences of the cache

  RequestLog run(const StopSignal& stop, const std::function<void(std::int64_t)>& progress) {
    if (options_.depth > 0) fill_to_depth(stop);
    log_.start_s = clock_.now_s();
    log_.end_s = log_.start_s;
    for (RequestEvent& request : log_.requests) request.start_s = log_.start_s;
    while (next_ < requests_.size() || !active_.empty()) {
      if (stop_requested(stop)) {
        log_.interrupted = true;
        break;
      }
      send();
      admit();
      step();
      retire();
      if (progress) progress(static_cast<std::int64_t>(log_.tokens.size()));
    }
    return std::move(log_);
  }

 private:
  bool stop_requested(const StopSignal& stop) const {
    if (options_.group == nullptr || options_.group->size() == 1) return stop.requested();
    float asked = stop.requested() ? 1.0F : 0.0F;
    options_.group->sum({&asked, 1});
    return asked > 0;
  }

  /// Clients send their next request as soon as a slot is free.
  void send() {
    while (next_ < requests_.size() && active_.size() < static_cast<std::size_t>(options_.concurrency)) {
      const Request& request = requests_[next_];
      log_.requests.push_back(
          {clock_.now_s(), static_cast<std::int64_t>(request.prompt.size()), request.output_tokens, false});
      Active active;
      active.request = next_++;
      active_.push_back(active);
    }
  }

  void admit() {
    KvCache& kv = engine_.kv();
    for (Active& active : active_) {
      if (active.admitted) continue;
      active.sequence = kv.open();
      if (!kv.reserve(active.sequence, kv_tokens(requests_[active.request]))) {
        kv.close(active.sequence);
        return;  // in order: a small request never overtakes a large one
      }
      active.admitted = true;
    }
  }

  void fill_to_depth(const StopSignal& stop) {
    if (requests_.size() > static_cast<std::size_t>(options_.concurrency))
      throw UsageError("a depth needs all requests in flight at once: --num-requests at most --concurrency");
    send();
    admit();
    const auto depth = static_cast<std::size_t>(options_.depth);
    for (Active& active : active_) {
      if (!active.admitted)
        throw UsageError("a depth needs all requests in the KV cache at once; give it more");
      const std::span<const std::int32_t> prompt = requests_[active.request].prompt;
      while (active.prefilled < std::min(depth, prompt.size() - 1) && !stop_requested(stop)) {
        const std::size_t count = std::min({static_cast<std::size_t>(options_.prefill_chunk),
                                            depth - active.prefilled, prompt.size() - 1 - active.prefilled});
        const SequenceSlice slice{active.sequence, prompt.subspan(active.prefilled, count)};
        std::int32_t ignored = 0;
        engine_.step({&slice, 1}, {&ignored, 1});
        active.prefilled += count;
      }
    }
  }

  void step() {
    batch_.clear();
    members_.clear();
    StepEvent event{};
    auto room = static_cast<std::size_t>(options_.prefill_chunk);
    for (std::size_t i = 0; i < active_.size(); ++i) {
      Active& active = active_[i];
      if (!active.admitted) continue;
      const std::span<const std::int32_t> prompt = requests_[active.request].prompt;
      if (active.prefilled < prompt.size()) {
        const std::size_t count = std::min(room, prompt.size() - active.prefilled);
        if (count == 0) continue;
        room -= count;
        batch_.push_back({active.sequence, prompt.subspan(active.prefilled, count)});
        const bool decodes = options_.decode_only && active.prefilled + 1 == prompt.size();
        (decodes ? event.decode_tokens : event.prefill_tokens) += static_cast<std::int64_t>(count);
      } else {
        batch_.push_back({active.sequence, {&active.last, 1}});
        ++event.decode_tokens;
      }
      members_.push_back(i);
    }
    if (batch_.empty()) {
      const Request& request = requests_[active_.front().request];
      throw UsageError(
          fmt::format("request {} needs {} tokens of KV cache and the cache holds {}; raise --kv-cache",
                      active_.front().request, kv_tokens(request),
                      engine_.kv().block_count() * engine_.kv().block_tokens()));
    }
    tokens_.resize(batch_.size());
    event.bytes = engine_.step_bytes(batch_);
    event.start_s = clock_.now_s();
    engine_.step(batch_, tokens_, options_.margins ? room_for_logits() : nullptr);
    event.end_s = clock_.now_s();
    event.bytes.weights += engine_.last_step_expert_bytes();
    log_.end_s = event.end_s;
    log_.steps.push_back(event);
    for (std::size_t i = 0; i < batch_.size(); ++i) {
      Active& active = active_[members_[i]];
      const std::size_t prompt = requests_[active.request].prompt.size();
      if (active.prefilled < prompt) active.prefilled += batch_[i].tokens.size();
      if (active.prefilled < prompt || requests_[active.request].output_tokens == 0) continue;
      active.last = tokens_[i];
      ++active.produced;
      TokenEvent token{static_cast<std::int64_t>(active.request), tokens_[i], event.end_s};
      if (options_.margins) token.margin = top_margin(logits_of(i));
      log_.tokens.push_back(token);
    }
  }

  std::size_t vocabulary() const { return static_cast<std::size_t>(engine_.config().vocab); }
  float* room_for_logits() {
    logits_.resize(batch_.size() * vocabulary());
    return logits_.data();
  }
  std::span<const float> logits_of(std::size_t slice) const {
    return std::span(logits_).subspan(slice * vocabulary(), vocabulary());
  }

  void retire() {
    std::erase_if(active_, [&](const Active& active) {
      const Request& request = requests_[active.request];
      if (active.prefilled < request.prompt.size() || active.produced < request.output_tokens) return false;
      engine_.kv().close(active.sequence);
      log_.requests[active.request].finished = true;
      return true;
    });
  }

  Engine& engine_;
  std::span<const Request> requests_;
  const SchedulerOptions& options_;
  const Clock& clock_;
  std::size_t next_ = 0;
  std::vector<Active> active_;
  RequestLog log_;
  std::vector<SequenceSlice> batch_;
  std::vector<std::size_t> members_;
  std::vector<std::int32_t> tokens_;
  std::vector<float> logits_;  ///< of the step, [slices, vocabulary]; where margins are asked for
};

}  // namespace

std::int64_t kv_tokens(const Request& request) {
  return static_cast<std::int64_t>(request.prompt.size()) +
         std::max<std::int64_t>(request.output_tokens - 1, 0);
}

RequestLog run_requests(Engine& engine, std::span<const Request> requests, const SchedulerOptions& options,
                        const Clock& clock, const StopSignal& stop,
                        const std::function<void(std::int64_t)>& progress) {
  return Scheduler(engine, requests, options, clock).run(stop, progress);
}

}  // namespace sparkmpi::kernels::inference
