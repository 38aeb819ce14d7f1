#include "kernels/stream/options.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "base/bytes.hpp"
#include "base/value_list.hpp"
#include "kernels/stream/read_bandwidth.hpp"
#include "ledger/meminfo.hpp"

namespace sparkmpi::kernels::stream {
namespace {

constexpr std::uint64_t kManagedReserve = std::uint64_t{512} << 20;

std::string text_of(std::uint64_t bytes) {
  return format_bytes(static_cast<double>(bytes));
}

std::uint64_t available_bytes() {
  ledger::Meminfo meminfo{ledger::FileRoot()};
  std::vector<ledger::Reading> readings;
  meminfo.read(readings);
  const auto found = std::ranges::find(readings, "meminfo.MemAvailable", &ledger::Reading::name);
  if (found == readings.end() || found->answer != ledger::Answer::value) {
    return static_cast<std::uint64_t>(sysconf(_SC_AVPHYS_PAGES)) *
           static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  }
  return static_cast<std::uint64_t>(found->value);
}

}  // namespace

std::vector<const OperationInfo*> chosen_operations(const std::string& text) {
  std::vector<const OperationInfo*> chosen;
  if (text == "all") {
    for (const OperationInfo& info : kOperations) chosen.push_back(&info);
    return chosen;
  }
  for (const std::string_view name : split_list(text, "--operation")) {
    const auto found = std::ranges::find(kOperations, name, &OperationInfo::name);
    if (found == kOperations.end()) {
      throw UsageError(fmt::format(
          "--operation: there is no '{}'; use read, write, copy, scale, add, triad, dot or all", name));
    }
    chosen.push_back(&*found);
  }
  return chosen;
}

bool bypass_caches(const std::string& stores, std::size_t footprint) {
  if (stores == "regular") return false;
  if (stores == "non-temporal") return true;
  if (stores == "auto") return footprint > last_level_cache_bytes() / 2;
  throw UsageError(fmt::format("--stores: '{}' is none of auto, regular, non-temporal", stores));
}

std::unique_ptr<timing::StoppingRule> stopping_rule(const Parameters& parameters) {
  return timing::samples_or_known_median(static_cast<std::size_t>(parameters.integer("repetitions")),
                                         parameters.real("max-time"));
}

void require_room(MemoryKind kind, std::size_t footprint, const Room& room) {
  const bool integrated = room.model == MemoryModel::integrated;
  if (kind == MemoryKind::system && !integrated && room.model != MemoryModel::coherent &&
      room.model != MemoryModel::hmm) {
    throw UsageError(
        fmt::format("--memory system: this GPU ({}) does not reach pageable memory; use pinned or managed",
                    to_string(room.model)));
  }
  const bool on_gpu = (kind == MemoryKind::device || kind == MemoryKind::managed) && !integrated;
  std::uint64_t free = on_gpu ? room.device_free : room.host_available;
  if (kind == MemoryKind::managed) free -= std::min(free, kManagedReserve);
  if (footprint <= free) return;
  throw UsageError(fmt::format("--footprint {}: only {} of {} memory can be had {}", text_of(footprint),
                               text_of(free), to_string(kind), on_gpu ? "on this GPU" : "on this node"));
}

Room room_at(const Site& site) {
  const Device& device = site.placement.device;
  return {device.memory_model, site.cuda.memory(device.ordinal).free,
          available_bytes() / static_cast<std::uint64_t>(std::max(site.local_ranks, 1))};
}

MemoryKind chosen_memory(const Parameters& parameters) {
  const std::string& text = parameters.text("memory");
  return text == "auto" ? MemoryKind::device : parse_memory_kind(text);
}

void check_on_host(const Parameters& parameters, const Site& site) {
  chosen_cpus(site.placement, parameters.integer("threads"));
  const std::int64_t footprint = parameters.integer("footprint");
  bypass_caches(parameters.text("stores"), static_cast<std::size_t>(footprint));
  if (parameters.text("memory") != "auto") {
    parse_memory_kind(parameters.text("memory"));
    throw UsageError("--memory: the kinds of memory are a GPU's; leave it out on the host");
  }
  const double physical =
      static_cast<double>(sysconf(_SC_AVPHYS_PAGES)) * static_cast<double>(sysconf(_SC_PAGESIZE));
  if (static_cast<double>(footprint) > physical) {
    throw UsageError(fmt::format("--footprint {}: only {} of memory are free on this node",
                                 format_bytes(static_cast<double>(footprint)), format_bytes(physical)));
  }
}

void check_on_gpu(const Parameters& parameters, const Site& site) {
  if (parameters.integer("threads") != 0)
    throw UsageError("--threads: a GPU is filled with as many as it holds; leave it out");
  if (parameters.text("stores") != "auto")
    throw UsageError("--stores: the host's; a GPU has one kind, leave it out");
  require_room(chosen_memory(parameters), static_cast<std::size_t>(parameters.integer("footprint")),
               room_at(site));
}

}  // namespace sparkmpi::kernels::stream
