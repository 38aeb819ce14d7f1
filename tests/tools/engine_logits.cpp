// The host engine's greedy continuations with their logits, for comparison with other implementations.
//
//   engine_logits MODEL_DIR PROMPTS OUT TOKENS [CHUNK]
//
// PROMPTS has one JSON object a line with "input_ids". The prompts run as one batch, each prefilled in pieces
// of at most CHUNK tokens (default: whole). OUT gets, little-endian: int64 prompts, TOKENS, vocabulary; then
// for each prompt TOKENS × int32 ids and TOKENS × vocabulary × float logits (those that chose each token).

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <thread>
#include <vector>

#include "kernels/inference/host/host_engine.hpp"

namespace {

using namespace sparkmpi::kernels;
using namespace sparkmpi::kernels::inference;

struct Continuation {
  std::vector<std::int32_t> prompt, tokens;
  std::vector<float> logits;
  int sequence = 0;
  std::size_t given = 0;  ///< tokens of the prompt that the engine has seen
};

std::vector<Continuation> read_prompts(const char* path) {
  std::vector<Continuation> all;
  std::ifstream file(path);
  for (std::string line; std::getline(file, line);) {
    all.emplace_back().prompt = nlohmann::json::parse(line).at("input_ids").get<std::vector<std::int32_t>>();
  }
  return all;
}

template <class T>
void put(std::ofstream& out, const std::vector<T>& values) {
  out.write(reinterpret_cast<const char*>(values.data()),
            static_cast<std::streamsize>(values.size() * sizeof(T)));
}

void run(char** arguments, std::size_t wanted, std::size_t chunk) {
  const ModelConfig config = read_model_config(arguments[1]);
  std::vector<Continuation> all = read_prompts(arguments[2]);
  std::vector<int> cpus;
  for (unsigned cpu = 0; cpu < std::max(1U, std::thread::hardware_concurrency()); ++cpu)
    cpus.push_back(static_cast<int>(cpu));
  host::ThreadTeam team(cpus);
  const Weights weights = Weights::load(config, arguments[1], team);
  HostEngineOptions options;
  for (const Continuation& one : all)
    options.kv_blocks += static_cast<std::int64_t>((one.prompt.size() + wanted) / 16 + 1);
  const auto engine = make_host_engine(weights, team, options);
  for (Continuation& one : all) {
    one.sequence = engine->kv().open();
    engine->kv().reserve(one.sequence, static_cast<std::int64_t>(one.prompt.size() + wanted));
  }
  const auto vocab = static_cast<std::size_t>(config.vocab);
  for (;;) {
    std::vector<SequenceSlice> batch;
    std::vector<Continuation*> who;
    for (Continuation& one : all) {
      if (one.tokens.size() >= wanted) continue;
      std::span<const std::int32_t> tokens = std::span(one.prompt).subspan(one.given);
      tokens = tokens.first(std::min(tokens.size(), chunk));
      if (tokens.empty()) tokens = std::span(one.tokens).last(1);
      batch.push_back({one.sequence, tokens});
      who.push_back(&one);
    }
    if (batch.empty()) break;
    std::vector<std::int32_t> next(batch.size());
    std::vector<float> logits(batch.size() * vocab);
    engine->step(batch, next, logits.data());
    for (std::size_t i = 0; i < batch.size(); ++i) {
      Continuation& one = *who[i];
      if (one.given < one.prompt.size()) one.given += batch[i].tokens.size();
      if (one.given < one.prompt.size()) continue;
      one.tokens.push_back(next[i]);
      const auto row = logits.begin() + static_cast<std::ptrdiff_t>(i * vocab);
      one.logits.insert(one.logits.end(), row, row + static_cast<std::ptrdiff_t>(vocab));
    }
  }
  std::ofstream out(arguments[3], std::ios::binary);
  put(out, std::vector<std::int64_t>{static_cast<std::int64_t>(all.size()), static_cast<std::int64_t>(wanted),
                                     config.vocab});
  for (const Continuation& one : all) {
    put(out, one.tokens);
    put(out, one.logits);
  }
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 5) {
    std::fputs("usage: engine_logits MODEL_DIR PROMPTS OUT TOKENS [CHUNK]\n", stderr);
    return 2;
  }
  try {
    run(arguments, std::stoul(arguments[4]), count > 5 ? std::stoul(arguments[5]) : std::size_t{1} << 30);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_logits: %s\n", error.what());
    return 1;
  }
}
