// How fast weights come into host memory, beside what the page cache and the disk give to programs that only
// read.
//
//   bench_weight_load MODEL DIRECTORY [THREADS]      default: 2 threads
//
// MODEL is a name of `sparkmpi list models` in BF16. Its synthetic weights are written to DIRECTORY/MODEL
// once, as large as the model; every load is checked by its hash against them. "load" is Weights::load: read,
// laid out, hashed. "read" is the same files by as many threads into a buffer of their own that is used again
// and again: nothing a loader must do is in it. Medians of five, in turn, so that a busy machine hits all
// alike.

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "base/error.hpp"
#include "kernels/host/buffer.hpp"
#include "kernels/host/thread_team.hpp"
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

constexpr int kRepetitions = 3;
constexpr std::size_t kPiece = std::size_t{8} << 20;

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

/// Reads the file with `threads` threads, in pieces, and throws the bytes away.
void read_only(const fs::path& path, bool direct, host::ThreadTeam& team) {
  const int file = open(path.c_str(), O_RDONLY | O_CLOEXEC | (direct ? O_DIRECT : 0));
  if (file < 0) throw Error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
  const std::size_t pieces = (fs::file_size(path) + kPiece - 1) / kPiece;
  team.run([&](int worker) {
    thread_local const host::Buffer buffer(kPiece);
    const auto slice = host::slice_of(pieces, worker, team.size());
    for (std::size_t piece = slice.begin; piece < slice.end; ++piece) {
      if (pread(file, buffer.data(), kPiece, static_cast<off_t>(piece * kPiece)) <= 0)
        throw Error(fmt::format("{}: {}", path.string(), std::strerror(errno)));
    }
  });
  close(file);
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

void run(const std::string& name, const fs::path& directory, int threads) {
  const fs::path place = directory / name;
  if (!fs::exists(place / "model.safetensors")) write_checkpoint(name, place);
  const ModelShard model = shard_model(read_model_config(place), {});
  const fs::path file = place / "model.safetensors";
  std::vector<int> cpus;
  for (int i = 0; i < threads; ++i) cpus.push_back(i);
  host::ThreadTeam team(cpus);
  const std::uint64_t expected = Weights::synthetic(model, 1, team).hash();
  const auto bytes = static_cast<double>(fs::file_size(file));

  struct Way {
    std::string name;
    bool cold;
    std::function<void()> work;
  };
  const auto load = [&](LoadMode mode) {
    return [&, mode] {
      if (Weights::load(model, place, team, {}, mode).hash() != expected)
        throw Error("what was loaded is not what was written");
    };
  };
  const std::vector<Way> ways = {
      {"page cache: read", false, [&] { read_only(file, false, team); }},
      {"page cache: load --load mmap", false, load(LoadMode::mapped)},
      {"disk: read, O_DIRECT", true, [&] { read_only(file, true, team); }},
      {"disk: load --load direct", true, load(LoadMode::direct)},
      {"disk: read by way of the page cache", true, [&] { read_only(file, false, team); }},
      {"disk: load --load mmap", true, load(LoadMode::mapped)},
  };
  std::map<std::string, std::vector<double>> rates, processor;
  for (int repetition = 0; repetition < kRepetitions; ++repetition) {
    for (const Way& way : ways) {
      if (way.cold) {
        ledger::drop_file_cache(file);
      } else {
        read_only(file, false, team);
      }
      const double before = processor_seconds();
      rates[way.name].push_back(bytes / seconds_of(way.work) / 1e9);
      processor[way.name].push_back((processor_seconds() - before) / bytes * 1e9);
      fmt::print(stderr, "{}: {:.2f} GB/s, {:.2f} processor seconds a GB\n", way.name, rates[way.name].back(),
                 processor[way.name].back());
    }
  }
  fmt::print("{}: {:.2f} GB, {} threads\n", file.string(), bytes / 1e9, threads);
  double reference = 0;
  for (const Way& way : ways) {
    const double rate = median(rates[way.name]);
    const bool is_load = way.name.find("load") != std::string::npos;
    if (!is_load) reference = rate;
    fmt::print("{:38} {:6.2f} GB/s ({:.2f} to {:.2f}), {:.2f} processor seconds a GB{}\n", way.name, rate,
               std::ranges::min(rates[way.name]), std::ranges::max(rates[way.name]),
               median(processor[way.name]),
               is_load ? fmt::format(": {:.0f} % of the line above", 100 * rate / reference) : "");
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    fmt::print(stderr, "usage: bench_weight_load MODEL DIRECTORY [THREADS]\n");
    return 2;
  }
  try {
    run(argv[1], argv[2], argc > 3 ? std::atoi(argv[3]) : 2);
  } catch (const Error& error) {
    fmt::print(stderr, "bench_weight_load: {}\n", error.what());
    return 1;
  }
  return 0;
}
