// An engine's greedy continuations with their logits, for comparison with other implementations.
//
//   engine_logits MODEL_DIR PROMPTS OUT TOKENS [CHUNK] [--device host|cuda] [--kv-dtype bf16|fp8]
//
// PROMPTS has one JSON object a line with "input_ids". The prompts run as one batch, each prefilled in pieces
// of at most CHUNK tokens (default: whole). OUT gets, little-endian: int64 prompts, TOKENS, vocabulary; then
// for each prompt TOKENS × int32 ids and TOKENS × vocabulary × float logits (those that chose each token).

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <functional>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/error.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/inference/cuda_inference.hpp"
#include "kernels/inference/host/host_engine.hpp"

namespace {

using namespace sparkmpi;
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

struct Command {
  std::vector<std::string> words;  ///< MODEL_DIR PROMPTS OUT TOKENS [CHUNK]
  std::string device = "host", kv_dtype = "bf16";
};

Command parse(int count, char** arguments) {
  Command command;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    if ((word == "--device" || word == "--kv-dtype") && i + 1 < count) {
      (word == "--device" ? command.device : command.kv_dtype) = arguments[++i];
    } else {
      command.words.push_back(word);
    }
  }
  return command;
}

/// An engine and all that it stands on.
struct Bench {
  std::unique_ptr<host::ThreadTeam> team;
  std::unique_ptr<Weights> host_weights;
  std::unique_ptr<CudaModule> module;
  std::unique_ptr<DeviceWeights> device_weights;
  std::unique_ptr<Engine> engine;
};

void make_on_host(const ModelConfig& config, const std::string& directory, std::int64_t blocks,
                  Bench& bench) {
  bench.host_weights = std::make_unique<Weights>(Weights::load(shard_model(config), directory, *bench.team));
  HostEngineOptions options;
  options.kv_blocks = blocks;
  bench.engine = make_host_engine(*bench.host_weights, *bench.team, options);
}

void make_on_cuda(const ModelConfig& config, const std::string& directory, std::int64_t blocks,
                  KvType kv_type, std::size_t batch, Bench& bench) {
  bench.module = std::make_unique<CudaModule>();
  if (bench.module->devices().empty()) throw Error("--device cuda: " + bench.module->reason());
  const auto* const interface = bench.module->find<CudaInference>();
  if (interface == nullptr) throw Error("the CUDA module has no inference engine");
  const std::vector<PlannedTensor> plan = tensor_plan(config);
  const std::unique_ptr<WeightSource> source = open_weights(directory);
  source->check(plan);
  const Team team = [&](const std::function<void(int, int)>& body) {
    bench.team->run([&](int worker) { body(worker, bench.team->size()); });
  };
  const ModelShard shard = shard_model(config);
  bench.device_weights = interface->load(0, config, {shard, plan, *source, std::nullopt, team, {}});
  CudaEngineOptions options;
  options.kv_blocks = blocks;
  options.kv_type = kv_type;
  options.batch = static_cast<std::int64_t>(batch);
  bench.engine = interface->make_engine(*bench.device_weights, options);
}

void run(const Command& command) {
  const std::string& directory = command.words[0];
  const std::size_t wanted = std::stoul(command.words[3]);
  const std::size_t chunk = command.words.size() > 4 ? std::stoul(command.words[4]) : std::size_t{1} << 30;
  const ModelConfig config = read_model_config(directory);
  std::vector<Continuation> all = read_prompts(command.words[1].c_str());
  std::vector<int> cpus;
  for (unsigned cpu = 0; cpu < std::max(1U, std::thread::hardware_concurrency()); ++cpu)
    cpus.push_back(static_cast<int>(cpu));
  Bench bench;
  bench.team = std::make_unique<host::ThreadTeam>(cpus);
  std::int64_t blocks = 1;
  for (const Continuation& one : all)
    blocks += static_cast<std::int64_t>((one.prompt.size() + wanted) / 16 + 1);
  const std::optional<KvType> kv_type = parse_kv_type(command.kv_dtype);
  if (!kv_type || (command.device != "host" && command.device != "cuda"))
    throw UsageError("--device is host or cuda, --kv-dtype bf16 or fp8");
  if (command.device == "cuda") {
    make_on_cuda(config, directory, blocks, *kv_type, all.size(), bench);
  } else {
    make_on_host(config, directory, blocks, bench);
  }
  Engine* const engine = bench.engine.get();
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
  std::ofstream out(command.words[2], std::ios::binary);
  put(out, std::vector<std::int64_t>{static_cast<std::int64_t>(all.size()), static_cast<std::int64_t>(wanted),
                                     config.vocab});
  for (const Continuation& one : all) {
    put(out, one.tokens);
    put(out, one.logits);
  }
}

}  // namespace

int main(int count, char** arguments) {
  const Command command = parse(count, arguments);
  if (command.words.size() < 4) {
    std::fputs(
        "usage: engine_logits MODEL_DIR PROMPTS OUT TOKENS [CHUNK] [--device host|cuda] [--kv-dtype "
        "bf16|fp8]\n",
        stderr);
    return 2;
  }
  try {
    run(command);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_logits: %s\n", error.what());
    return 1;
  }
}
