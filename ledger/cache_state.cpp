#include "ledger/cache_state.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/near_match.hpp"
#include "ledger/file_cache.hpp"
#include "ledger/meminfo.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr std::string_view kInject = "inject=";
constexpr double kSlackPart = 0.01, kSlackBytes = 64.0 * 1024 * 1024;

/// NaN when the kernel hides it for one of them.
double resident_of(std::span<const std::filesystem::path> files) {
  double sum = 0;
  for (const std::filesystem::path& file : files) {
    try {
      sum += static_cast<double>(resident_bytes(file));
    } catch (const Error&) {
      return std::numeric_limits<double>::quiet_NaN();
    }
  }
  return sum;
}

double size_of(std::span<const std::filesystem::path> files) {
  double sum = 0;
  for (const std::filesystem::path& file : files) sum += static_cast<double>(CachedFile(file).size());
  return sum;
}

/// Empty when the kernel took it; otherwise why not.
std::string write_drop_caches(const FileRoot& root) {
  sync();
  const int file = open((root / "proc/sys/vm/drop_caches").c_str(), O_WRONLY | O_CLOEXEC);
  if (file < 0) return std::strerror(errno);
  // 3: page cache, and slab objects such as inodes, without which some cached pages stay.
  std::string why = write(file, "3", 1) == 1 ? "" : std::strerror(errno);
  close(file);
  return why;
}

/// Empty when none of the bytes is there.
std::string why_still_resident(double resident) {
  if (std::isnan(resident)) return "the kernel hides the files' residency from this user";
  if (resident > 0) return fmt::format("{} of the model's files stay in the cache", format_bytes(resident));
  return {};
}

std::string joined(const std::string& first, const std::string& second) {
  return first.empty() || second.empty() ? first + second : first + "; " + second;
}

}  // namespace

CacheRequest parse_cache_request(std::string_view text) {
  if (text == "keep") return {};
  if (text == "drop") return {CacheMode::drop, 0, "drop"};
  if (text == "warm-model") return {CacheMode::warm_model, 0, "warm-model"};
  if (text.starts_with(kInject)) {
    const std::uint64_t bytes = parse_bytes(text.substr(kInject.size()), "--cache inject");
    if (bytes == 0) throw UsageError("--cache inject=0: give a size above 0");
    return {CacheMode::inject, bytes, std::string(text)};
  }
  constexpr std::array<std::string_view, 4> kWords = {"keep", "drop", "warm-model", "inject=SIZE"};
  throw UsageError(fmt::format("--cache: '{}' is none of keep, drop, warm-model, inject=SIZE{}", text,
                               did_you_mean(text, kWords)));
}

std::string why_not_dropped(std::span<const Reading> meminfo) {
  const auto value = [&](std::string_view field) {
    const auto found = std::ranges::find(meminfo, fmt::format("meminfo.{}", field), &Reading::name);
    return found == meminfo.end() ? std::numeric_limits<double>::quiet_NaN() : found->value;
  };
  const auto or_zero = [&](std::string_view field) {
    const double bytes = value(field);
    return std::isnan(bytes) ? 0.0 : bytes;
  };
  const double cache = value("Cached") + or_zero("Buffers") - value("Shmem");
  const double held = or_zero("Mapped") + or_zero("Dirty") + or_zero("Writeback") + or_zero("Mlocked");
  const double slack = std::max(kSlackBytes, kSlackPart * value("MemTotal"));
  if (cache <= held + slack) return {};
  if (std::isnan(cache)) return "/proc/meminfo does not say how much is cached";
  return fmt::format("{} of page cache remain, {} of them mapped, dirty or locked", format_bytes(cache),
                     format_bytes(std::min(held, cache)));
}

CacheOutcome drop_cache(std::span<const std::filesystem::path> model,
                        std::span<const std::filesystem::path> libraries, const FileRoot& root) {
  CacheOutcome outcome;
  outcome.files_bytes = size_of(model);
  outcome.resident_before = resident_of(model);
  const std::string refused = write_drop_caches(root);
  if (refused.empty()) {
    outcome.method = "drop_caches";
    std::vector<Reading> readings;
    Meminfo(root).read(readings);
    outcome.resident_after = resident_of(model);
    outcome.note = joined(why_not_dropped(readings), why_still_resident(outcome.resident_after));
    outcome.verified = outcome.note.empty();
    return outcome;
  }
  outcome.method = "posix_fadvise";
  for (const auto& files : {model, libraries}) {
    for (const std::filesystem::path& file : files) CachedFile(file).drop();
  }
  outcome.resident_after = resident_of(model);
  const std::string still = model.empty() ? "this point reads no model file, and libraries in use stay mapped"
                                          : why_still_resident(outcome.resident_after);
  outcome.note = joined(
      fmt::format("drop_caches can't be written ({}): only the run's own files were let go", refused), still);
  outcome.verified = still.empty();
  return outcome;
}

CacheOutcome warm_files(std::span<const std::filesystem::path> model, const std::function<bool()>& stop) {
  CacheOutcome outcome;
  outcome.method = "read";
  outcome.files_bytes = size_of(model);
  outcome.resident_before = resident_of(model);
  for (const std::filesystem::path& file : model) CachedFile(file).fill(stop);
  outcome.resident_after = resident_of(model);
  outcome.verified = outcome.resident_after == outcome.files_bytes;
  if (model.empty()) outcome.note = "this point reads no model file";
  if (std::isnan(outcome.resident_after)) outcome.note = why_still_resident(outcome.resident_after);
  if (outcome.resident_after < outcome.files_bytes)
    outcome.note = fmt::format("{} of {} are in the cache", format_bytes(outcome.resident_after),
                               format_bytes(outcome.files_bytes));
  return outcome;
}

CacheOutcome inject_cache(const InjectedFile& file, const std::function<bool()>& stop) {
  CacheOutcome outcome;
  outcome.method = "read";
  outcome.files_bytes = static_cast<double>(file.bytes());
  outcome.resident_before = static_cast<double>(file.resident());
  file.fill(stop);
  outcome.resident_after = static_cast<double>(file.resident());
  outcome.verified = outcome.resident_after == outcome.files_bytes;
  if (!outcome.verified)
    outcome.note = fmt::format("{} of {} are in the cache", format_bytes(outcome.resident_after),
                               format_bytes(outcome.files_bytes));
  return outcome;
}

}  // namespace sparkmpi::ledger
