// Where this runs and what it may use: environment, cgroup, shared and locked memory.

#include <fmt/format.h>
#include <sys/resource.h>

#include <cmath>
#include <filesystem>

#include "base/bytes.hpp"
#include "launchers/doctor/checks.hpp"
#include "ledger/cgroup.hpp"
#include "ledger/cgroup_location.hpp"
#include "ledger/environment.hpp"

namespace sparkmpi::launchers::doctor {
namespace {

Finding check_cgroup() {
  const ledger::CgroupLocation location = ledger::locate_memory_cgroup({});
  if (location.version == ledger::CgroupVersion::none)
    return {Level::warning, "cgroup", "no memory cgroup can be read: its charges will be absent",
            "mount /sys/fs/cgroup here"};
  const double limit = ledger::smallest_cgroup_limit(location);
  return {Level::good, "cgroup",
          fmt::format("{}, {}, {}", to_string(location.version), location.path,
                      std::isfinite(limit) ? "limited to " + format_bytes(limit) : "no limit"),
          ""};
}

bool has_rdma() {
  std::error_code failed;
  return std::filesystem::exists("/dev/infiniband", failed);
}

}  // namespace

Finding judge_shared_memory(std::optional<double> bytes) {
  if (!bytes)
    return {Level::fault, "shared memory", "there is no /dev/shm",
            "mount a tmpfs there: MPI's ranks of one node meet in it"};
  // Docker's default is 64 MiB (docker run --shm-size).
  constexpr double kDefaultOfDocker = 64.0 * 1024 * 1024;
  const std::string text = fmt::format("/dev/shm has {}", format_bytes(*bytes));
  if (*bytes <= kDefaultOfDocker)
    return {Level::warning, "shared memory", text + ", the default of container tools",
            "MPI and NCCL may run out of it: -O shm-size=16g, or -O ipc=host"};
  return {Level::good, "shared memory", text, ""};
}

Finding judge_memlock(double limit, bool rdma) {
  if (std::isinf(limit)) return {Level::good, "locked memory", "unlimited", ""};
  const std::string text = fmt::format("limited to {}", format_bytes(limit));
  if (!rdma) return {Level::good, "locked memory", text + "; no RDMA device needs more", ""};
  return {Level::warning, "locked memory", text + ", and RDMA registers memory beyond that",
          "ulimit -l unlimited, /etc/security/limits.conf, or -O ulimit=memlock=-1:-1"};
}

Findings check_environment() {
  const ledger::Environment here = ledger::detect_environment();
  return {{Level::good, "environment", fmt::format("{} ({})", here.name, here.evidence), ""}};
}

Findings check_memory() {
  Findings findings = {check_cgroup()};
  const Attributes facts = ledger::detect_environment().facts;
  const auto shm = facts.find("shm_size_bytes");
  findings.push_back(judge_shared_memory(
      shm == facts.end() ? std::nullopt
                         : std::optional(static_cast<double>(std::get<std::int64_t>(shm->second)))));
  rlimit limit{};
  if (getrlimit(RLIMIT_MEMLOCK, &limit) == 0)
    findings.push_back(judge_memlock(
        limit.rlim_cur == RLIM_INFINITY ? INFINITY : static_cast<double>(limit.rlim_cur), has_rdma()));
  return findings;
}

}  // namespace sparkmpi::launchers::doctor
