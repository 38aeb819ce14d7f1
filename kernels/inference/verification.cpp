#include "kernels/inference/verification.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "base/error.hpp"
#include "kernels/inference/logits.hpp"
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
  return spread > 0 ? largest / spread : 0;
}

}  // namespace

double verify_engine(Engine& engine, std::uint64_t seed, double tolerance) {
  const std::uint64_t texts = engine.config().experts > 0 ? kTextsWithExperts : 1;
  double deviation = 0;
  for (std::uint64_t text = 0; text < texts; ++text) {
    const double of_text = deviation_of(engine, seed + text);
    deviation = text == 0 ? of_text : std::min(deviation, of_text);
    if (deviation <= tolerance) return deviation;
  }
  throw Error(
      fmt::format("{}: prefill and decode of the same tokens differ by {:.3g} standard deviations of the "
                  "logits (tolerance "
                  "{}): the engine computes wrongly here",
                  engine.config().name, deviation, tolerance));
}

}  // namespace sparkmpi::kernels::inference
