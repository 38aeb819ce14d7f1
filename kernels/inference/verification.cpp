#include "kernels/inference/verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string_view>
#include <vector>

#include "base/error.hpp"
#include "kernels/inference/logits.hpp"
#include "kernels/inference/prescribed_routing.hpp"
#include "kernels/inference/request.hpp"

namespace sparkmpi::kernels::inference {
namespace {

/// The largest difference of the logits after one random text, in standard deviations.
double deviation_of(Engine& engine, std::uint64_t seed) {
  const int vocab = engine.config().vocab;
  const std::vector<std::int32_t> tokens =
      random_requests(1, kVerificationTokens, 1, vocab, seed).front().prompt;
  std::vector<float> whole(static_cast<std::size_t>(vocab)), single(whole.size());
  std::int32_t next = 0;
  for (std::vector<float>* logits : {&whole, &single}) {
    const int sequence = engine.kv().open();
    if (!engine.kv().reserve(sequence, kVerificationTokens))
      throw Error(fmt::format("the KV cache has no room for {} tokens", kVerificationTokens));
    const std::size_t piece = logits == &whole ? tokens.size() : 1;
    for (std::size_t at = 0; at < tokens.size(); at += piece) {
      const SequenceSlice slice{sequence, std::span(tokens).subspan(at, piece)};
      engine.step({&slice, 1}, {&next, 1}, at + piece == tokens.size() ? logits->data() : nullptr);
    }
    engine.kv().close(sequence);
  }
  double largest = 0;
  for (std::size_t i = 0; i < whole.size(); ++i) {
    if (!std::isfinite(whole[i]) || !std::isfinite(single[i]))
      throw Error(fmt::format("{}: the logit of token {} is not finite; are the weights damaged?",
                              engine.config().name, i));
    largest = std::max(largest, static_cast<double>(std::abs(whole[i] - single[i])));
  }
  const double spread = standard_deviation(whole);
  if (spread == 0)
    throw Error(
        fmt::format("{}: all logits are equal, which leaves nothing to compare; are the weights damaged?",
                    engine.config().name));
  return largest / spread;
}

/// While it lives, tokens go to the experts of one shift.
class Prescribed {
 public:
  Prescribed(Engine& engine, int shift) : engine_(engine) { engine_.prescribe_experts(shift); }
  ~Prescribed() { engine_.prescribe_experts(std::nullopt); }
  Prescribed(const Prescribed&) = delete;             ///< one end for one beginning
  Prescribed& operator=(const Prescribed&) = delete;  ///< likewise

 private:
  Engine& engine_;
};

[[noreturn]] void refuse(const Engine& engine, std::string_view how, double deviation, double limit) {
  throw Error(fmt::format(
      "{}: prefill and decode of the same tokens{} differ by {:.3g} standard deviations of the logits "
      "(tolerance {}): the engine computes wrongly here",
      engine.config().name, how, deviation, limit));
}

double verify_prescribed(Engine& engine, std::uint64_t seed, double limit) {
  const ModelConfig& config = engine.config();
  const int texts = PrescribedRouting{config.experts, config.experts_per_token}.texts();
  double largest = 0;
  for (int shift = 0; shift < texts; ++shift) {
    const Prescribed prescribed(engine, shift);
    const double deviation = deviation_of(engine, seed + static_cast<std::uint64_t>(shift));
    if (deviation > limit) refuse(engine, " with the same experts", deviation, limit);
    largest = std::max(largest, deviation);
  }
  return largest;
}

double verify_routed(Engine& engine, std::uint64_t seed, double limit) {
  double least = std::numeric_limits<double>::infinity();
  for (std::uint64_t text = 0; text < kTextsWithExperts; ++text) {
    least = std::min(least, deviation_of(engine, seed + text));
    if (least <= limit) return least;
  }
  refuse(engine, ", experts chosen by the router,", least, limit);
}

}  // namespace

Verification verify_engine(Engine& engine, std::uint64_t seed, const VerificationLimits& limits) {
  if (engine.config().experts > 0) {
    return {verify_prescribed(engine, seed, limits.computed), verify_routed(engine, seed, limits.routed)};
  }
  const double deviation = deviation_of(engine, seed);
  if (deviation > limits.computed) refuse(engine, "", deviation, limits.computed);
  return {deviation, std::nullopt};
}

}  // namespace sparkmpi::kernels::inference
