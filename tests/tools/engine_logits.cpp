// An engine's greedy continuations with their logits, for comparison with other implementations.
//
//   engine_logits MODEL_DIR PROMPTS OUT TOKENS [CHUNK] [--device host|cuda|cuda:K] [--kv-dtype bf16|fp8]
//   mpirun -np N engine_logits … [--all-reduce auto|peer|nccl|staged]
//
// N ranks divide the model between them; `cuda` is a GPU for each, `cuda:K` one for all. The first writes
// OUT.
//
// PROMPTS has one JSON object a line with "input_ids". The prompts run as one batch, each prefilled in pieces
// of at most CHUNK tokens (default: whole). OUT gets, little-endian: int64 prompts, TOKENS, vocabulary; then
// for each prompt TOKENS × int32 ids and TOKENS × vocabulary × float logits (those that chose each token).

#include <sched.h>

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
#include <vector>

#include "base/error.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/inference/cuda_inference.hpp"
#include "kernels/inference/host/host_engine.hpp"
#include "mpi/world.hpp"

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
  std::string device = "host", kv_dtype = "bf16", all_reduce = "auto";
};

Command parse(int count, char** arguments) {
  Command command;
  for (int i = 1; i < count; ++i) {
    const std::string word = arguments[i];
    std::string* const value = word == "--device"       ? &command.device
                               : word == "--kv-dtype"   ? &command.kv_dtype
                               : word == "--all-reduce" ? &command.all_reduce
                                                        : nullptr;
    if (value != nullptr && i + 1 < count) {
      *value = arguments[++i];
    } else {
      command.words.push_back(word);
    }
  }
  return command;
}

/// An engine and all that it stands on.
struct Bench {
  mpi::World& world;
  std::unique_ptr<Group> group;
  ModelShard shard;
  std::unique_ptr<host::ThreadTeam> team = nullptr;
  std::unique_ptr<Weights> host_weights = nullptr;
  std::unique_ptr<CudaModule> module = nullptr;
  std::unique_ptr<DeviceWeights> device_weights = nullptr;
  std::unique_ptr<Engine> engine = nullptr;
};

void make_on_host(const std::string& directory, std::int64_t blocks, Bench& bench) {
  bench.host_weights = std::make_unique<Weights>(Weights::load(bench.shard, directory, *bench.team));
  HostEngineOptions options;
  options.group = bench.group.get();
  options.kv_blocks = blocks;
  bench.engine = make_host_engine(*bench.host_weights, *bench.team, options);
}

/// "cuda": the rank's own, "cuda:K".
int ordinal_of(const std::string& device, const mpi::World& world, std::size_t devices) {
  const std::size_t colon = device.find(':');
  return colon == std::string::npos ? world.local_rank() % static_cast<int>(devices)
                                    : std::stoi(device.substr(colon + 1));
}

void make_on_cuda(const ModelConfig& config, const Command& command, std::int64_t blocks,
                  CudaEngineOptions options, Bench& bench) {
  bench.module = std::make_unique<CudaModule>();
  if (bench.module->devices().empty()) throw Error("--device cuda: " + bench.module->reason());
  const auto* const interface = bench.module->find<CudaInference>();
  if (interface == nullptr) throw Error("the CUDA module has no inference engine");
  const std::vector<PlannedTensor> plan = tensor_plan(config);
  const std::unique_ptr<WeightSource> source = open_weights(command.words[0]);
  source->check(plan);
  const Team team = [&](const std::function<void(int, int)>& body) {
    bench.team->run([&](int worker) { body(worker, bench.team->size()); });
  };
  bench.device_weights =
      interface->load(ordinal_of(command.device, bench.world, bench.module->devices().size()),
                      {plan, bench.shard, *source, std::nullopt, team, {}});
  options.kv_blocks = blocks;
  options.group = bench.group.get();
  bench.engine = interface->make_engine(*bench.device_weights, options);
}

/// This rank's share of the cores that its node's ranks may use.
std::vector<int> cores_of(const mpi::World& world) {
  cpu_set_t mask;
  CPU_ZERO(&mask);
  if (sched_getaffinity(0, sizeof(mask), &mask) != 0) throw Error("sched_getaffinity failed");
  std::vector<int> all;
  for (int cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (CPU_ISSET(cpu, &mask)) all.push_back(cpu);
  }
  const auto ranks = static_cast<std::size_t>(world.local_size()),
             rank = static_cast<std::size_t>(world.local_rank());
  if (all.size() < ranks) return {all[rank % all.size()]};
  return {all.begin() + static_cast<std::ptrdiff_t>(all.size() * rank / ranks),
          all.begin() + static_cast<std::ptrdiff_t>(all.size() * (rank + 1) / ranks)};
}

void run(const Command& command, mpi::World& world) {
  const std::string& directory = command.words[0];
  const std::size_t wanted = std::stoul(command.words[3]);
  const std::size_t chunk = command.words.size() > 4 ? std::stoul(command.words[4]) : std::size_t{1} << 30;
  const ModelConfig config = read_model_config(directory);
  std::vector<Continuation> all = read_prompts(command.words[1].c_str());
  const int members = world.size();
  Bench bench{world, world.group(members), shard_model(config, {world.rank(), members})};
  bench.team = std::make_unique<host::ThreadTeam>(cores_of(world));
  std::int64_t blocks = 1;
  for (const Continuation& one : all)
    blocks += static_cast<std::int64_t>((one.prompt.size() + wanted) / 16 + 1);
  const std::optional<KvType> kv_type = parse_kv_type(command.kv_dtype);
  const std::optional<AllReduceMethod> all_reduce = parse_all_reduce_method(command.all_reduce);
  const bool cuda = command.device.starts_with("cuda");
  if (!kv_type || !all_reduce || (command.device != "host" && !cuda))
    throw UsageError("--device is host, cuda or cuda:K, --kv-dtype bf16 or fp8");
  if (cuda) {
    CudaEngineOptions options;
    options.kv_type = *kv_type;
    options.batch = static_cast<std::int64_t>(all.size());
    options.all_reduce = *all_reduce;
    make_on_cuda(config, command, blocks, options, bench);
  } else {
    make_on_host(directory, blocks, bench);
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
  if (world.rank() != 0) return;
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
        "usage: engine_logits MODEL_DIR PROMPTS OUT TOKENS [CHUNK] [--device host|cuda|cuda:K] [--kv-dtype "
        "bf16|fp8] [--all-reduce auto|peer|nccl|staged]\n",
        stderr);
    return 2;
  }
  try {
    mpi::World world(count, arguments);
    run(command, world);
  } catch (const UsageError& error) {
    std::fprintf(stderr, "engine_logits: %s\n", error.what());
    return 2;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "engine_logits: %s\n", error.what());
    return 1;
  }
}
