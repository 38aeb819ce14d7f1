#include "mpi/cache_control.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <map>

#include "base/error.hpp"
#include "ledger/file_cache.hpp"

namespace sparkmpi::mpi {
namespace {

using results::Better;
using results::MetricInfo;
using results::Origin;

constexpr std::array<MetricInfo, 3> kFileMetrics = {{
    {"file_bytes", "B", Better::neither, Origin::measured, "size of a file that the point uses"},
    {"file_resident_start_bytes", "B", Better::neither, Origin::measured,
     "of it in the page cache before the point"},
    {"file_resident_end_bytes", "B", Better::neither, Origin::measured,
     "of it in the page cache after the point"},
}};
constexpr const char* kAxis = "file";

/// NaN when the kernel hides it, or the file is gone.
template <class Ask>
double or_nan(const Ask& ask) {
  try {
    return static_cast<double>(ask());
  } catch (const Error&) {
    return std::numeric_limits<double>::quiet_NaN();
  }
}

double resident_or_nan(const std::filesystem::path& file) {
  return or_nan([&] { return ledger::resident_bytes(file); });
}

results::Series& series(results::KernelRecord& record, std::string_view metric) {
  return record.series.emplace_back(results::Series{std::string(metric), kAxis, {}});
}

}  // namespace

std::span<const MetricInfo> file_metrics() {
  return kFileMetrics;
}

std::vector<MetricInfo> with_file_metrics(std::span<const MetricInfo> metrics) {
  std::vector<MetricInfo> all(metrics.begin(), metrics.end());
  all.insert(all.end(), kFileMetrics.begin(), kFileMetrics.end());
  return all;
}

void CacheControl::check(const kernels::Plan& plan) {
  if (!active_) return;
  if (options_.request.mode == ledger::CacheMode::inject) {
    ledger::require_room_for_injection(options_.request.inject_bytes, "--cache inject");
    injected_ =
        std::make_unique<ledger::InjectedFile>(options_.request.inject_bytes, ledger::injection_directory());
  }
  for (const std::filesystem::path& directory : options_.also_check) {
    const std::vector<ledger::FileIdentity> found = ledger::files_below(directory);
    also_.insert(also_.end(), found.begin(), found.end());
  }
  if (!plan.empty())
    watch(plan.front().kernel->make()->files(kernels::Parameters(plan.front().point.parameters)));
}

/// Duplicates are looked for when the files change, not at every point: it reads blocks of them.
void CacheControl::watch(const std::vector<std::filesystem::path>& model) {
  const std::vector<std::filesystem::path> libraries = ledger::mapped_files();
  if (!files_.empty() && model == model_ && libraries == libraries_) return;
  model_ = model;
  libraries_ = libraries;
  std::map<std::filesystem::path, std::optional<double>> listed;
  for (const WatchedFile& file : files_) listed[file.identity.path] = file.listed;
  files_.clear();
  std::vector<ledger::FileIdentity> identities;
  std::vector<std::string> roles;
  const auto add = [&](const std::filesystem::path& path, const char* role) {
    try {
      identities.push_back(ledger::identify(path));
      roles.emplace_back(role);
    } catch (const Error&) {
      // Gone since it was named: the kernel that needs it will say so.
    }
  };
  for (const std::filesystem::path& path : model) add(path, "model");
  for (const std::filesystem::path& path : libraries) {
    if (std::ranges::find(model, path) == model.end()) add(path, "library");
  }
  const std::size_t own = identities.size();
  for (const ledger::FileIdentity& other : also_) {
    const auto of_this_run = std::span(identities).first(own);
    const bool same_size =
        std::ranges::find(of_this_run, other.bytes, &ledger::FileIdentity::bytes) != of_this_run.end();
    const bool same_file = std::ranges::any_of(of_this_run, [&](const ledger::FileIdentity& each) {
      return each.device == other.device && each.inode == other.inode;
    });
    if (!same_size || same_file) continue;
    identities.push_back(other);
    roles.emplace_back("copy");
  }
  const std::vector<std::size_t> first = ledger::find_duplicates(identities);
  for (std::size_t i = 0; i < identities.size(); ++i) {
    const bool copy = first[i] != i;
    if (i >= own && (!copy || first[i] >= own)) continue;  // a stranger that only has the size
    files_.push_back({identities[i], roles[i], copy ? identities[first[i]].path.string() : "", 0,
                      listed[identities[i].path]});
  }
}

ledger::CacheOutcome CacheControl::apply(const std::vector<std::filesystem::path>& model,
                                         const kernels::StopSignal& stop) {
  const auto stopped = [&stop] { return stop.requested(); };
  switch (options_.request.mode) {
    case ledger::CacheMode::keep:
      break;
    case ledger::CacheMode::drop:
      return ledger::drop_cache(model, ledger::mapped_files());
    case ledger::CacheMode::warm_model:
      return ledger::warm_files(model, stopped);
    case ledger::CacheMode::inject:
      return ledger::inject_cache(*injected_, stopped);
  }
  ledger::CacheOutcome kept;
  kept.method = "none";
  kept.verified = true;
  for (const WatchedFile& file : files_) {
    if (file.role != "model") continue;
    kept.files_bytes += static_cast<double>(file.identity.bytes);
    kept.resident_before += resident_or_nan(file.identity.path);
  }
  kept.resident_after = kept.resident_before;
  return kept;
}

void CacheControl::before_point(const kernels::PlannedPoint& planned, const kernels::StopSignal& stop) {
  if (!active_) return;
  try {
    const std::vector<std::filesystem::path> model =
        planned.kernel->make()->files(kernels::Parameters(planned.point.parameters));
    watch(model);
    outcome_ = apply(model, stop);
  } catch (const Error& error) {
    outcome_ = {};
    outcome_.method = "none";
    outcome_.note = error.what();
  }
  for (WatchedFile& file : files_) file.resident_start = resident_or_nan(file.identity.path);
  if (!outcome_.note.empty())
    remarks_.push_back(fmt::format("--cache {}: {}{}", options_.request.text,
                                   outcome_.verified ? "" : "not verified: ", outcome_.note));
}

/// A program has a hundred libraries, whose pages seldom move: they are listed again only when they have.
bool CacheControl::has_news(const WatchedFile& file, double resident_end) {
  const auto same = [](double a, double b) { return a == b || (std::isnan(a) && std::isnan(b)); };
  return !file.listed || !same(*file.listed, file.resident_start) || !same(*file.listed, resident_end);
}

void CacheControl::after_point(results::KernelRecord& record) {
  if (!active_) return;
  record.facts["cache_state_requested"] = options_.request.text;
  record.facts["cache_state_method"] = outcome_.method;
  record.facts["cache_state_verified"] = std::int64_t{outcome_.verified ? 1 : 0};
  record.facts["cache_state_note"] = outcome_.note;
  record.facts["cache_files_bytes"] = outcome_.files_bytes;
  record.facts["cache_resident_before_bytes"] = outcome_.resident_before;
  record.facts["cache_resident_after_bytes"] = outcome_.resident_after;
  if (injected_) record.facts["cache_resident_end_bytes"] = or_nan([&] { return injected_->resident(); });
  std::vector<double> sizes, starts, ends;
  results::Labels paths{"file_path", kAxis, {}}, ids{"file_id", kAxis, {}}, roles{"file_role", kAxis, {}},
      copies{"file_duplicate_of", kAxis, {}};
  double duplicates = 0, duplicate_resident = 0;
  for (WatchedFile& file : files_) {
    const double at_end = resident_or_nan(file.identity.path);
    if (file.role == "library" && !has_news(file, at_end)) continue;
    file.listed = at_end;
    sizes.push_back(static_cast<double>(file.identity.bytes));
    starts.push_back(file.resident_start);
    ends.push_back(at_end);
    paths.values.push_back(file.identity.path.string());
    ids.values.push_back(file.identity.id());
    roles.values.push_back(file.role);
    copies.values.push_back(file.duplicate_of);
    if (file.duplicate_of.empty()) continue;
    duplicates += sizes.back();
    duplicate_resident += ends.back();
  }
  record.facts["duplicate_bytes"] = duplicates;
  record.facts["duplicate_resident_bytes"] = duplicate_resident;
  if (sizes.empty()) return;
  series(record, "file_bytes").values = std::move(sizes);
  series(record, "file_resident_start_bytes").values = std::move(starts);
  series(record, "file_resident_end_bytes").values = std::move(ends);
  for (results::Labels* labels : {&paths, &ids, &roles, &copies}) record.labels.push_back(std::move(*labels));
}

std::string CacheControl::remark() {
  if (remarks_.empty()) return {};
  std::string text = std::move(remarks_.back());
  remarks_.clear();
  if (std::ranges::find(told_, text) != told_.end()) return {};
  told_.push_back(text);
  return text;
}

}  // namespace sparkmpi::mpi
