#include "kernels/inference/options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <numeric>
#include <optional>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "kernels/inference/cuda_inference.hpp"
#include "kernels/inference/host/host_engine.hpp"
#include "kernels/inference/model_fit.hpp"
#include "ledger/environment.hpp"

namespace sparkmpi::kernels::inference {

const std::array<OptionSpec, 21> kOptions = {{
    {.name = "model",
     .short_name = 'm',
     .kind = OptionKind::text,
     .default_value = "SmolLM2-135M",
     .list = true,
     .help = "Hugging Face directory, or a name found in $SPARKMPI_MODEL_PATH or in `sparkmpi list models` "
             "(synthetic weights)"},
    {.name = "n-prompt",
     .short_name = 'p',
     .kind = OptionKind::integer,
     .default_value = "512",
     .list = true,
     .minimum = 0,
     .maximum = 1 << 24,
     .help = "prompt tokens of each request; 0: decode alone, from the depth or a single token"},
    {.name = "n-gen",
     .short_name = 'n',
     .kind = OptionKind::integer,
     .default_value = "128",
     .list = true,
     .minimum = 0,
     .maximum = 1 << 24,
     .help = "output tokens of each request; 0: prefill alone"},
    {.name = "concurrency",
     .short_name = 'b',
     .kind = OptionKind::integer,
     .default_value = "1",
     .list = true,
     .minimum = 1,
     .maximum = 65536,
     .help = "requests in flight at once on each rank (with --tp: each group): the batch of a decode step"},
    {.name = "tp",
     .kind = OptionKind::integer,
     .default_value = "1",
     .list = true,
     .minimum = 1,
     .maximum = 65536,
     .help = "ranks that work on one model together (tensor parallel); 1: a whole model on each"},
    {.name = "all-reduce",
     .kind = OptionKind::text,
     .default_value = "auto",
     .list = true,
     .help =
         "how GPUs of one model add up their parts: peer (each other's memory), nccl, staged (through the "
         "host), or auto: the fastest that works between them"},
    {.name = "n-depth",
     .short_name = 'd',
     .kind = OptionKind::integer,
     .default_value = "0",
     .list = true,
     .minimum = 0,
     .maximum = 1 << 24,
     .help = "context tokens already in the KV cache before the clock starts"},
    {.name = "repetitions",
     .short_name = 'r',
     .kind = OptionKind::integer,
     .default_value = "3",
     .minimum = 1,
     .maximum = 100000,
     .help = "times the requests are run"},
    {.name = "num-requests",
     .kind = OptionKind::integer,
     .default_value = "0",
     .list = true,
     .minimum = 0,
     .maximum = 1e7,
     .help = "requests of a repetition; 0: as many as are in flight, or the whole data set"},
    {.name = "dataset",
     .kind = OptionKind::text,
     .default_value = "",
     .help = "requests from a trtllm-bench JSONL file (input_ids, output_tokens) instead of -p and -n"},
    {.name = "kv-cache",
     .kind = OptionKind::text,
     .default_value = "auto",
     .list = true,
     .help = "KV cache of each rank: auto (what is in flight), 4GiB, 8192tok, or 0.5*meminfo.MemAvailable"},
    {.name = "kv-dtype",
     .kind = OptionKind::text,
     .default_value = "bf16",
     .list = true,
     .help = "what keys and values are stored as: bf16, or on a GPU fp8 (E4M3)"},
    {.name = "kv-block",
     .kind = OptionKind::integer,
     .default_value = "16",
     .minimum = 1,
     .maximum = 1024,
     .help = "tokens in a block of the KV cache"},
    {.name = "prefill-chunk",
     .kind = OptionKind::integer,
     .default_value = "512",
     .minimum = 1,
     .maximum = 65536,
     .help = "prompt tokens that a step takes at most"},
    {.name = "seed",
     .kind = OptionKind::integer,
     .default_value = "1",
     .minimum = 0,
     .maximum = 9e15,
     .help = "of synthetic weights and of random prompts"},
    {.name = "threads",
     .short_name = 't',
     .kind = OptionKind::integer,
     .default_value = "0",
     .list = true,
     .minimum = 0,
     .maximum = 65536,
     .help = "threads on each rank; 0: one for each of its cores"},
    {.name = "synthetic",
     .kind = OptionKind::flag,
     .default_value = "",
     .help = "make weights from the seed even where the model's own are there"},
    {.name = "weights",
     .kind = OptionKind::text,
     .default_value = "auto",
     .list = true,
     .help = "format of the linear layers: auto (what config.json says), or bf16, fp8, awq or mxfp4 for "
             "synthetic weights"},
    {.name = "load",
     .kind = OptionKind::text,
     .default_value = "cached",
     .list = true,
     .help = "how weight files are read: cached, by way of the page cache, or direct (O_DIRECT), past it"},
    {.name = "save-tokens",
     .kind = OptionKind::flag,
     .default_value = "",
     .help = "keep the ids of all output tokens in the file"},
    {.name = "save-margins",
     .kind = OptionKind::flag,
     .default_value = "",
     .help =
         "keep how far each output token's logit was above the second (reads all logits: slows each step)"},
}};

namespace {

std::vector<Request> requests_of(const Parameters& parameters, const ModelConfig& config,
                                 const SchedulerOptions& scheduler) {
  const std::int64_t wanted = parameters.integer("num-requests");
  if (parameters.has("dataset")) {
    std::vector<Request> requests =
        read_requests(parameters.text("dataset"), {config.vocab, config.max_positions});
    // A shorter data set is gone through again, as often as needed.
    const std::size_t given = requests.size(), count = wanted == 0 ? given : static_cast<std::size_t>(wanted);
    requests.reserve(count);
    while (requests.size() < count) requests.push_back(requests[requests.size() - given]);
    requests.resize(count);
    return requests;
  }
  const std::int64_t output = parameters.integer("n-gen");
  if (parameters.integer("n-prompt") == 0 && output == 0)
    throw UsageError("-p 0 -n 0: nothing to measure; give --n-prompt or --n-gen at least 1");
  // Without a prompt, decoding needs one token to start from.
  const std::int64_t prompt =
      scheduler.depth + std::max<std::int64_t>(parameters.integer("n-prompt"), scheduler.decode_only ? 1 : 0);
  if (config.max_positions > 0 && prompt + output > config.max_positions) {
    throw UsageError(fmt::format("-d + -p + -n = {} tokens, and {} ends at {}", prompt + output, config.name,
                                 config.max_positions));
  }
  return random_requests(wanted == 0 ? scheduler.concurrency : wanted, prompt, output, config.vocab,
                         static_cast<std::uint64_t>(parameters.integer("seed")));
}

AllReduceMethod chosen_all_reduce(const std::string& word) {
  const std::optional<AllReduceMethod> method = parse_all_reduce_method(word);
  if (!method) throw UsageError(fmt::format("--all-reduce {}: give {}", word, kAllReduceMethods));
  return *method;
}

LoadMode chosen_load_mode(const std::string& word) {
  if (word == "cached") return LoadMode::cached;
  if (word == "direct") return LoadMode::direct;
  throw UsageError(fmt::format("--load {}: give cached or direct", word));
}

KvType chosen_kv_type(const Parameters& parameters, const Device& device) {
  const std::string& word = parameters.text("kv-dtype");
  const std::optional<KvType> type = parse_kv_type(word);
  if (!type) throw UsageError(fmt::format("--kv-dtype {}: give bf16 or fp8", word));
  if (*type != KvType::bf16 && device.kind == DeviceKind::host)
    throw UsageError(fmt::format("--kv-dtype {}: the host engine stores keys and values in bf16", word));
  return *type;
}

/// " on member 1 of --tp 2", where a model is divided.
std::string of_member(const Settings& settings) {
  const Shard& member = settings.shard.member;
  return member.size > 1 ? fmt::format(" on member {} of --tp {}", member.rank, member.size) : std::string();
}

/// What the requests in flight need on a GPU, against what is free there before anything is loaded.
void refuse_beyond_device(const Settings& settings, const Site& site) {
  const ModelConfig& config = settings.model.config;
  const auto weights = static_cast<double>(settings.shard.weight_bytes);
  const std::int64_t blocks = settings.kv_budget.unit == KvUnit::fraction
                                  ? 0  // a part of what is left by then
                                  : kv_blocks(settings.kv_budget, settings.blocks_in_flight(),
                                              settings.kv_block, settings.kv_block_bytes, {});
  const double cache = static_cast<double>(blocks) * static_cast<double>(settings.kv_block_bytes);
  const auto free = static_cast<double>(site.cuda.memory(site.placement.device.ordinal).free);
  if (weights + cache <= free) return;
  throw UsageError(fmt::format(
      "{} in {} has {} of weights{}, and {} of KV cache for {} tokens: {} of {} free on {}; take fewer "
      "or shorter requests, --kv-dtype fp8, or a smaller model",
      config.name, precision_of(config), format_bytes(weights), of_member(settings), format_bytes(cache),
      blocks * settings.kv_block, format_bytes(weights + cache), format_bytes(free),
      site.placement.device.id));
}

/// The GPU engine's own limits, before anything is loaded.
void refuse_beyond_kernels(const Settings& settings) {
  if (device_kv_width(settings.model.config.head_dim) == 0)
    throw UsageError(fmt::format("{}: heads of {} elements; the GPU engine has attention for up to 256",
                                 settings.model.config.name, settings.model.config.head_dim));
  if (settings.kv_block % kDeviceKvTile != 0)
    throw UsageError(fmt::format("--kv-block {}: on a GPU it has to be a multiple of {}", settings.kv_block,
                                 kDeviceKvTile));
}

/// Neighbouring ranks make a group, each of them a member.
void divide(std::int64_t size, const Site& site, Settings& settings) {
  if (site.ranks % size != 0) {
    throw UsageError(fmt::format("--tp {}: {} {} are not divided into groups of {}; start a multiple of {}",
                                 size, site.ranks, site.ranks == 1 ? "rank" : "ranks", size, size));
  }
  const int members = static_cast<int>(size);
  settings.shard = shard_model(settings.model.config, {site.rank % members, members});
  settings.group = site.rank / members;
}

void choose_weight_format(const std::string& word, Settings& settings) {
  if (word == "auto") return;
  const std::optional<WeightFormat> format = parse_weight_format(word);
  if (!format) throw UsageError(fmt::format("--weights {}: is none of auto, bf16, fp8, awq and mxfp4", word));
  ModelConfig& config = settings.model.config;
  const std::string stored(precision_of(config));
  set_weight_format(config, *format);
  if (!settings.synthetic && word != stored) {
    throw UsageError(fmt::format("--weights {}: {} holds {}; add --synthetic to measure its shape in {}",
                                 word, settings.model.directory.string(), stored, word));
  }
}

/// A weight matrix that does not fit would end in the kernel's OOM killer, without a word.
void refuse_what_cannot_fit(const Settings& settings, const Placement& placement, int local_ranks) {
  const bool host = placement.device.kind == DeviceKind::host;
  const ModelConfig& config = settings.model.config;
  const double memory =
      host ? static_cast<double>(sysconf(_SC_PHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE))
           : static_cast<double>(placement.device.memory_bytes);
  const auto weights = static_cast<double>(settings.shard.weight_bytes);
  // A GPU's engine has formats of its own for the cache and sees to it.
  const double kv = host && settings.kv_budget.unit == KvUnit::automatic
                        ? static_cast<double>(settings.blocks_in_flight()) *
                              static_cast<double>(kv_block_bytes(settings.shard.local, settings.kv_block))
                        : 0;
  const int copies = host ? local_ranks : 1;
  if ((weights + kv) * copies <= memory) return;
  const double room = std::max(0.0, memory / copies - kv);
  const auto fit = widest_fit(config, static_cast<std::uint64_t>(room), settings.shard.member.size);
  const bool narrower = fit && precision_of(fit->config) != precision_of(config);
  throw UsageError(
      fmt::format("{} has {} of weights in {}{}{}{} and {} has {} of memory{}", config.name,
                  format_bytes(weights), precision_of(config), of_member(settings),
                  kv > 0 ? fmt::format(" and {} of KV cache for what is in flight", format_bytes(kv)) : "",
                  copies > 1 ? fmt::format(" on each of {} ranks", copies) : "",
                  host ? "this node" : placement.device.id, format_bytes(memory),
                  narrower ? fmt::format("; --weights {} would fit with {}", precision_of(fit->config),
                                         format_bytes(static_cast<double>(fit->weights)))
                           : ""));
}

void refuse_small_cache(const Settings& settings) {
  if (settings.kv_budget.unit != KvUnit::bytes && settings.kv_budget.unit != KvUnit::tokens) return;
  const std::uint64_t block = settings.kv_block_bytes;
  const std::int64_t blocks = kv_blocks(settings.kv_budget, 0, settings.kv_block, block, {});
  for (std::size_t i = 0; i < settings.requests.size(); ++i) {
    const std::int64_t needed = kv_tokens(settings.requests[i]);
    if (needed > blocks * settings.kv_block) {
      const std::int64_t needed_blocks = (needed + settings.kv_block - 1) / settings.kv_block;
      throw UsageError(fmt::format(
          "--kv-cache holds {} tokens and request {} alone needs {} ({})", blocks * settings.kv_block, i,
          needed, format_bytes(static_cast<double>(needed_blocks) * static_cast<double>(block))));
    }
  }
}

}  // namespace

std::int64_t Settings::blocks_in_flight() const {
  std::vector<std::int64_t> blocks;
  for (const Request& request : requests) blocks.push_back((kv_tokens(request) + kv_block - 1) / kv_block);
  std::ranges::sort(blocks, std::greater<>());
  blocks.resize(std::min(blocks.size(), static_cast<std::size_t>(scheduler.concurrency)));
  return std::accumulate(blocks.begin(), blocks.end(), std::int64_t{0});
}

std::int64_t Settings::decode_batch() const {
  return std::min(scheduler.concurrency, static_cast<std::int64_t>(requests.size()));
}

Settings resolve(const Parameters& parameters, const Site& site) {
  Settings settings;
  settings.model = find_model(parameters.text("model"), ledger::process_environment("SPARKMPI_MODEL_PATH"));
  settings.synthetic = parameters.flag("synthetic") || !settings.model.has_weights;
  choose_weight_format(parameters.text("weights"), settings);
  divide(parameters.integer("tp"), site, settings);
  settings.scheduler.concurrency = parameters.integer("concurrency");
  settings.scheduler.prefill_chunk = parameters.integer("prefill-chunk");
  settings.scheduler.depth = parameters.integer("n-depth");
  settings.scheduler.decode_only = !parameters.has("dataset") && parameters.integer("n-prompt") == 0;
  settings.requests = requests_of(parameters, settings.model.config, settings.scheduler);
  if (settings.scheduler.depth > 0 &&
      static_cast<std::int64_t>(settings.requests.size()) > settings.scheduler.concurrency)
    throw UsageError("-d needs all requests in flight at once: --num-requests at most --concurrency");
  settings.kv_budget = parse_kv_budget(parameters.text("kv-cache"));
  settings.kv_block = static_cast<int>(parameters.integer("kv-block"));
  settings.repetitions = parameters.integer("repetitions");
  settings.seed = static_cast<std::uint64_t>(parameters.integer("seed"));
  settings.load = chosen_load_mode(parameters.text("load"));
  settings.all_reduce = chosen_all_reduce(parameters.text("all-reduce"));
  settings.kv_type = chosen_kv_type(parameters, site.placement.device);
  settings.cpus = chosen_cpus(site.placement, parameters.integer("threads"));
  settings.save_tokens = parameters.flag("save-tokens");
  settings.scheduler.margins = parameters.flag("save-margins");
  refuse_what_cannot_fit(settings, site.placement, site.local_ranks);
  const bool on_gpu = site.placement.device.kind == DeviceKind::cuda;
  settings.kv_block_bytes =
      on_gpu ? device_kv_block_bytes(settings.shard.local, settings.kv_block, settings.kv_type)
             : kv_block_bytes(settings.shard.local, settings.kv_block);
  refuse_small_cache(settings);
  if (on_gpu) {
    refuse_beyond_kernels(settings);
    refuse_beyond_device(settings, site);
  }
  return settings;
}

}  // namespace sparkmpi::kernels::inference
