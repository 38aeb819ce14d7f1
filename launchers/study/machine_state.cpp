#include "launchers/study/machine_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <sstream>
#include <thread>

#include "base/bytes.hpp"
#include "base/command.hpp"
#include "base/error.hpp"
#include "ledger/file_cache.hpp"
#include "ledger/meminfo.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace fs = std::filesystem;
using SteadyClock = std::chrono::steady_clock;

/// Regular files at and under the plan's paths.
std::vector<fs::path> files_of(const StudyPlan& plan) {
  std::vector<fs::path> files;
  for (const fs::path& path : plan.cached_files) {
    if (fs::is_regular_file(path)) files.push_back(path);
    if (!fs::is_directory(path)) continue;
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(path))
      if (entry.is_regular_file()) files.push_back(entry.path());
  }
  return files;
}

double share_cached(const std::vector<fs::path>& files) {
  double resident = 0, size = 0;
  for (const fs::path& file : files) {
    resident += static_cast<double>(ledger::resident_bytes(file));
    size += static_cast<double>(fs::file_size(file));
  }
  return size > 0 ? std::min(1.0, resident / size) : 0;
}

void read_through(const fs::path& file) {
  const int descriptor = open(file.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor < 0) throw Error(fmt::format("{} can't be read: {}", file.string(), std::strerror(errno)));
  std::vector<char> chunk(std::size_t{1} << 20U);
  ssize_t got = 0;
  while ((got = read(descriptor, chunk.data(), chunk.size())) > 0) {
  }
  const int status = got < 0 ? errno : 0;
  close(descriptor);
  if (status != 0) throw Error(fmt::format("{} can't be read: {}", file.string(), std::strerror(status)));
}

/// Documentation/admin-guide/sysctl/vm.rst, drop_caches: 3 lets page cache, dentries and inodes go.
void drop_everything() {
  sync();
  const int descriptor = open("/proc/sys/vm/drop_caches", O_WRONLY | O_CLOEXEC);
  const bool done = descriptor >= 0 && write(descriptor, "3", 1) == 1;
  const int status = errno;
  if (descriptor >= 0) close(descriptor);
  if (!done)
    throw Error(
        fmt::format("[cache] state = cold without files drops the whole page cache, which needs root: {}",
                    std::strerror(status)));
}

void prepare_cache(const StudyPlan& plan, const std::vector<fs::path>& files) {
  if (plan.cache == CacheState::cold && files.empty()) drop_everything();
  for (const fs::path& file : files) {
    if (plan.cache == CacheState::cold) ledger::drop_file_cache(file);
    if (plan.cache == CacheState::warm) read_through(file);
  }
}

std::optional<double> value_of(const std::vector<ledger::Reading>& readings, std::string_view name) {
  const auto found = std::ranges::find(readings, name, &ledger::Reading::name);
  if (found == readings.end() || found->answer != ledger::Answer::value) return std::nullopt;
  return found->value;
}

}  // namespace

std::vector<double> parse_temperatures(const std::string& text) {
  std::istringstream in(text);
  std::vector<double> temperatures;
  for (double value = 0; in >> value;) temperatures.push_back(value);
  return temperatures;
}

MachineState read_state(const StudyPlan& plan) {
  MachineState state;
  if (!find_program("nvidia-smi").empty())
    state.gpu_temperatures_c = parse_temperatures(
        run_command({"nvidia-smi", "--query-gpu=temperature.gpu", "--format=csv,noheader,nounits"}).output);
  std::vector<ledger::Reading> readings;
  ledger::Meminfo({}).read(readings);
  state.memory_available = value_of(readings, "meminfo.MemAvailable");
  const auto cached = value_of(readings, "meminfo.Cached"), shared = value_of(readings, "meminfo.Shmem");
  if (cached && shared) state.page_cache = *cached - *shared;
  if (const auto files = files_of(plan); !files.empty()) state.cached_share = share_cached(files);
  return state;
}

std::string missing_in(const MachineState& state, const StudyPlan& plan) {
  const Cooldown& wanted = plan.cooldown;
  std::string missing;
  const auto add = [&](const std::string& text) { missing += (missing.empty() ? "" : "; ") + text; };
  if (!state.gpu_temperatures_c.empty()) {
    const double hottest = std::ranges::max(state.gpu_temperatures_c);
    if (hottest >= wanted.gpu_temperature_c)
      add(fmt::format("a GPU has {:.0f} °C, wanted below {:.0f}", hottest, wanted.gpu_temperature_c));
  }
  const auto at_least = static_cast<double>(wanted.memory_available);
  if (at_least > 0 && state.memory_available.value_or(0) < at_least)
    add(fmt::format("MemAvailable is {}, wanted {}", format_bytes(state.memory_available.value_or(0)),
                    format_bytes(at_least)));
  const auto at_most = static_cast<double>(wanted.page_cache_below);
  if (at_most > 0 && state.page_cache.value_or(INFINITY) > at_most)
    add(fmt::format("the page cache holds {}, wanted at most {}",
                    format_bytes(state.page_cache.value_or(INFINITY)), format_bytes(at_most)));
  // A file's last page and pages that somebody maps may stay.
  constexpr double kCold = 0.01, kWarm = 0.99;
  if (state.cached_share && plan.cache == CacheState::cold && *state.cached_share > kCold)
    add(fmt::format("{:.1f} % of the files are still cached", 100 * *state.cached_share));
  if (state.cached_share && plan.cache == CacheState::warm && *state.cached_share < kWarm)
    add(fmt::format("only {:.1f} % of the files are cached", 100 * *state.cached_share));
  return missing;
}

Wait reach_state(const StudyPlan& plan, const std::function<bool()>& interrupted,
                 const std::function<void(const std::string&)>& waiting) {
  const std::vector<fs::path> files = files_of(plan);
  if (files.empty() && !plan.cached_files.empty())
    throw Error(fmt::format("[cache] files: there is no file at {}", plan.cached_files.front().string()));
  prepare_cache(plan, files);
  const auto start = SteadyClock::now();
  const auto waited = [&] { return std::chrono::duration<double>(SteadyClock::now() - start).count(); };
  while (true) {
    Wait wait{read_state(plan), waited()};
    const std::string missing = missing_in(wait.state, plan);
    if (missing.empty()) return wait;
    if (wait.waited_s >= plan.cooldown.timeout_s)
      throw Error(fmt::format("after {:.0f} s the machine is not in the state that the plan asks for: {}",
                              wait.waited_s, missing));
    waiting(missing);
    constexpr int kTicks = 10;  // of 0.2 s between two looks
    for (int tick = 0; tick < kTicks && waited() < plan.cooldown.timeout_s; ++tick) {
      if (interrupted()) return {wait.state, waited(), true};
      std::this_thread::sleep_for(std::chrono::milliseconds(200));
    }
    if (plan.cache != CacheState::keep) prepare_cache(plan, files);
  }
}

}  // namespace sparkmpi::launchers::study
