// How fast weights come into a host's or a GPU's memory, beside what the page cache and the disk give to
// programs that only read.
//
//   bench_weight_load MODEL DIRECTORY [THREADS] [--device host|cuda|cuda:K]      default: 2 threads, host
//
// MODEL is a name of `sparkmpi list models` in BF16. Its synthetic weights are written to DIRECTORY/MODEL
// once, as large as the model; every load is checked by its hash against them. "load" is what `inference`
// does: read, laid out (for a GPU: sent there), hashed. "read again" is the same file by as many readers into
// buffers of their own that are used again and again: nothing a loader of the host must do is in it. "read
// fresh" is the same into memory that nobody has touched before, on huge pages, which such a loader has to
// touch once. In turn, so that a busy machine hits all alike; memory is used and given back before each, and
// giving it back is not timed.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <optional>
#include <vector>

#include "base/error.hpp"
#include "kernels/device/cuda_module.hpp"
#include "kernels/host/buffer.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/inference/cuda_inference.hpp"
#include "kernels/inference/model_catalog.hpp"
#include "kernels/inference/safetensors.hpp"
#include "kernels/inference/tensor_plan.hpp"
#include "kernels/inference/weight_source.hpp"
#include "kernels/inference/weights.hpp"
#include "ledger/file_cache.hpp"

using namespace sparkmpi;
using namespace sparkmpi::kernels;
using namespace sparkmpi::kernels::inference;
namespace fs = std::filesystem;

namespace {

constexpr int kRepetitions = 5;
constexpr std::size_t kPiece = std::size_t{2} << 20;

std::vector<std::byte> tensor_bytes(const WeightSource& source, const PlannedTensor& tensor) {
  std::vector<std::byte> bytes(tensor.bytes());
  if (tensor.is_vector()) {
    const std::vector<float> values = source.read_vector(tensor);
    for (std::size_t i = 0; i < values.size(); ++i) {
      const Bf16 value = to_bf16(values[i]);
      std::memcpy(bytes.data() + 2 * i, &value, 2);
    }
  } else {
    source.read(tensor, {0, tensor.rows, 0, tensor.columns}, {bytes.data(), tensor.columns * 2});
  }
  return bytes;
}

void write_checkpoint(const std::string& model, const fs::path& directory) {
  const auto entry = std::ranges::find(model_catalog(), model, &CatalogEntry::name);
  if (entry == model_catalog().end())
    throw UsageError(fmt::format("there is no model {}; `sparkmpi list models` has the names", model));
  fs::create_directories(directory);
  std::ofstream(directory / "config.json") << entry->config;
  const ModelConfig config = read_model_config(directory);
  const auto plan = tensor_plan(config);
  nlohmann::ordered_json header;
  std::uint64_t at = 0;
  for (const PlannedTensor& tensor : plan) {
    const std::vector<std::uint64_t> shape = tensor.is_vector()
                                                 ? std::vector<std::uint64_t>{tensor.rows}
                                                 : std::vector<std::uint64_t>{tensor.rows, tensor.columns};
    header[tensor.sources.front().name] = {
        {"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {at, at + tensor.bytes()}}};
    at += tensor.bytes();
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  std::ofstream out(directory / "model.safetensors.new", std::ios::binary);
  const std::uint64_t length = text.size();
  out.write(reinterpret_cast<const char*>(&length), sizeof length);
  out << text;
  const auto source = synthetic_weights(1);
  for (const PlannedTensor& tensor : plan) {
    const auto bytes = tensor_bytes(*source, tensor);
    out.write(reinterpret_cast<const char*>(bytes.data()), static_cast<std::streamsize>(bytes.size()));
  }
  out.close();
  if (!out) throw Error(fmt::format("{} can't be written", directory.string()));
  fs::rename(directory / "model.safetensors.new", directory / "model.safetensors");
}

/// Reads the file with all readers, in pieces, each to its place in `memory`, or when there is none to the
/// reader's own buffer.
void read_only(const fs::path& path, bool direct, host::ThreadTeam& readers, std::byte* memory) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
  if (file < 0) throw Error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  const std::size_t pieces = (fs::file_size(path) + kPiece - 1) / kPiece;
  std::atomic<std::size_t> next{0};
  readers.run([&](int) {
    thread_local const host::Buffer own(kPiece);
    for (std::size_t piece = next++; piece < pieces; piece = next++) {
      std::byte* const to = memory == nullptr ? own.data() : memory + piece * kPiece;
      if (pread(file, to, kPiece, static_cast<off_t>(piece * kPiece)) <= 0)
        throw Error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
    }
  });
  close(file);
}

/// Touches memory and gives it back: a virtual machine's host then has it in place for whoever comes next.
void use_memory(std::size_t bytes, host::ThreadTeam& readers) {
  const auto whole = static_cast<std::size_t>(sysconf(_SC_PHYS_PAGES) * sysconf(_SC_PAGESIZE));
  const host::Buffer memory(std::min(bytes, whole / 2));
  readers.run([&](int reader) {
    const host::Slice slice = host::slice_of(memory.size(), reader, readers.size(), std::size_t{2} << 20);
    std::memset(memory.data() + slice.begin, 1, slice.end - slice.begin);
  });
}

double seconds_of(const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

double processor_seconds() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  const auto seconds = [](const timeval& time) {
    return static_cast<double>(time.tv_sec) + 1e-6 * static_cast<double>(time.tv_usec);
  };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}

double median(std::vector<double> values) {
  std::ranges::sort(values);
  return values[values.size() / 2];
}

/// Something that holds memory until it is destroyed.
using Held = std::shared_ptr<const void>;

/// Loads a file of `directory` onto a device, checks its hash, and returns what holds the memory.
using Load = std::function<Held(LoadMode)>;

Load host_load(const ModelShard& model, const fs::path& directory, host::ThreadTeam& team,
               std::uint64_t expected) {
  return [&, directory, expected](LoadMode mode) -> Held {
    auto weights = std::make_shared<Weights>(Weights::load(model, directory, team, {}, mode));
    if (weights->hash() != expected) throw Error("what was loaded is not what was written");
    return weights;
  };
}

Load cuda_load(const ModelShard& model, const fs::path& directory, int ordinal, host::ThreadTeam& readers,
               const CudaModule& module, std::uint64_t expected) {
  if (module.devices().empty()) throw Error("--device cuda: " + module.reason());
  const auto* const interface = module.find<CudaInference>();
  if (interface == nullptr) throw Error("the CUDA module has no inference engine");
  return [&, directory, ordinal, interface, expected](LoadMode mode) -> Held {
    const std::vector<PlannedTensor> plan = tensor_plan(model.whole);
    const auto source = open_weights(directory, mode);
    source->check(plan);
    const Team team = [&](const std::function<void(int, int)>& body) {
      readers.run([&](int reader) { body(reader, readers.size()); });
    };
    const std::shared_ptr<DeviceWeights> weights =
        interface->load(ordinal, {plan, model, *source, std::nullopt, team, {}});
    if (weights->hash() != expected) throw Error("what was loaded is not what was written");
    return weights;
  };
}

struct Way {
  std::string name;
  bool cold;
  std::function<Held()> work;
};

/// The two references and the load, of one way to read.
void add_ways(const std::string& from, bool cold, LoadMode mode, const fs::path& file,
              host::ThreadTeam& readers, const Load& load, std::vector<Way>& ways) {
  const bool direct = mode == LoadMode::direct;
  ways.push_back({from + ": read again", cold, [&readers, file, direct]() -> Held {
                    read_only(file, direct, readers, nullptr);
                    return {};
                  }});
  ways.push_back({from + ": read fresh", cold, [&readers, file, direct]() -> Held {
                    auto memory = std::make_shared<host::Buffer>(fs::file_size(file) + kPiece);
                    read_only(file, direct, readers, memory->data());
                    return memory;
                  }});
  ways.push_back({from + ": load", cold, [load, mode] { return load(mode); }});
}

struct Command {
  std::vector<std::string> words;  ///< MODEL DIRECTORY [THREADS]
  std::string device = "host";
};

void run(const Command& command) {
  const std::string& name = command.words[0];
  const fs::path place = fs::path(command.words[1]) / name;
  if (!fs::exists(place / "model.safetensors")) write_checkpoint(name, place);
  const ModelShard model = shard_model(read_model_config(place), {});
  const fs::path file = place / "model.safetensors";
  std::vector<int> cpus(command.words.size() > 2 ? std::stoul(command.words[2]) : 2);
  std::iota(cpus.begin(), cpus.end(), 0);
  host::ThreadTeam team(cpus), readers(reader_cpus(cpus));
  const std::uint64_t expected = Weights::synthetic(model, 1, team).hash();
  const CudaModule module;
  const std::size_t colon = command.device.find(':');
  const Load load =
      command.device == "host"
          ? host_load(model, place, team, expected)
          : cuda_load(model, place,
                      colon == std::string::npos ? 0 : std::stoi(command.device.substr(colon + 1)), readers,
                      module, expected);
  std::vector<Way> ways;
  add_ways("page cache", false, LoadMode::cached, file, readers, load, ways);
  add_ways("O_DIRECT", true, LoadMode::direct, file, readers, load, ways);
  add_ways("disk by way of the page cache", true, LoadMode::cached, file, readers, load, ways);

  const auto bytes = static_cast<double>(fs::file_size(file));
  std::map<std::string, std::vector<double>> rates, processor;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    for (const Way& way : ways) {
      if (way.cold) {
        ledger::drop_file_cache(file);
      } else {
        read_only(file, false, readers, nullptr);
      }
      use_memory(2 * static_cast<std::size_t>(bytes), readers);
      const double before = processor_seconds();
      Held held;
      rates[way.name].push_back(bytes / seconds_of([&] { held = way.work(); }) / 1e9);
      processor[way.name].push_back((processor_seconds() - before) / bytes * 1e9);
      fmt::print(stderr, "{}: {:.2f} GB/s, {:.2f} processor seconds a GB\n", way.name, rates[way.name].back(),
                 processor[way.name].back());
    }
  }
  fmt::print("{}: {:.2f} GB to {}, {} threads, {} readers; median and best of {}\n", file.string(),
             bytes / 1e9, command.device, cpus.size(), readers.size(), kRepetitions);
  for (std::size_t i = 0; i < ways.size(); ++i) {
    const auto figures = [&](std::size_t way) {
      const std::vector<double>& of = rates[ways[way].name];
      return std::pair(median(of), std::ranges::max(of));
    };
    const auto [rate, best] = figures(i);
    fmt::print("{:44} {:6.2f} {:6.2f} GB/s, {:.2f} {:.2f} processor seconds a GB", ways[i].name, rate, best,
               median(processor[ways[i].name]), std::ranges::min(processor[ways[i].name]));
    if (i % 3 == 2) {
      const auto [again, best_again] = figures(i - 2);
      const auto [fresh, best_fresh] = figures(i - 1);
      fmt::print("; {:.0f} {:.0f} % of read again, {:.0f} {:.0f} % of read fresh", 100 * rate / again,
                 100 * best / best_again, 100 * rate / fresh, 100 * best / best_fresh);
    }
    fmt::print("\n");
  }
}

}  // namespace

int main(int argc, char** argv) {
  Command command;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]) == "--device" && i + 1 < argc) {
      command.device = argv[++i];
    } else {
      command.words.emplace_back(argv[i]);
    }
  }
  if (command.words.size() < 2) {
    fmt::print(stderr, "usage: bench_weight_load MODEL DIRECTORY [THREADS] [--device host|cuda|cuda:K]\n");
    return 2;
  }
  try {
    run(command);
  } catch (const Error& error) {
    fmt::print(stderr, "bench_weight_load: {}\n", error.what());
    return 1;
  }
  return 0;
}
