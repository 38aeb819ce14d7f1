#include "ledger/environment.hpp"

#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <array>
#include <charconv>
#include <cmath>
#include <cstdlib>

#include "ledger/cgroup.hpp"
#include "ledger/container.hpp"
#include "ledger/field_file.hpp"
#include "ledger/meminfo.hpp"

namespace sparkmpi::ledger {
namespace {

void add_cgroup(const FileRoot& root, Attributes& facts) {
  const CgroupLocation location = locate_memory_cgroup(root);
  facts["cgroup_version"] = std::string(to_string(location.version));
  facts["cgroup_path"] = location.path;
  const double limit = smallest_cgroup_limit(location);
  if (std::isfinite(limit)) facts["cgroup_memory_limit_bytes"] = static_cast<std::int64_t>(limit);
  if (location.levels.empty() || location.version != CgroupVersion::v2) return;
  for (const std::string_view file : {"cpu.max", "pids.max", "cpuset.cpus.effective"}) {
    if (const std::string text = first_line(location.levels.front() / file); !text.empty()) {
      facts[fmt::format("cgroup_{}", file)] = text;
    }
  }
}

void add_namespaces(const FileRoot& root, Attributes& facts) {
  for (const std::string_view kind : {"cgroup", "ipc", "mnt", "net", "pid", "user", "uts"}) {
    std::error_code failed;
    const auto target = std::filesystem::read_symlink(root / fmt::format("proc/self/ns/{}", kind), failed);
    if (!failed) facts[fmt::format("namespace_{}", kind)] = target.string();  // "mnt:[4026531841]"
  }
}

/// The word in brackets of "always [madvise] never".
std::string chosen(const std::string& line) {
  const auto open = line.find('['), close = line.find(']');
  return open == std::string::npos || close == std::string::npos ? line
                                                                 : line.substr(open + 1, close - open - 1);
}

void add_kernel_settings(const FileRoot& root, Attributes& facts) {
  const auto add = [&](const char* name, const std::string& text) {
    if (!text.empty()) facts[name] = text;
  };
  add("transparent_huge_pages", chosen(first_line(root / "sys/kernel/mm/transparent_hugepage/enabled")));
  add("overcommit_memory", first_line(root / "proc/sys/vm/overcommit_memory"));
  add("swappiness", first_line(root / "proc/sys/vm/swappiness"));
  add("numa_balancing", first_line(root / "proc/sys/kernel/numa_balancing"));
  add("security_modules", first_line(root / "sys/kernel/security/lsm"));
  add("boot_id", first_line(root / "proc/sys/kernel/random/boot_id"));
  add("kernel_release", first_line(root / "proc/sys/kernel/osrelease"));
  add("container_operating_system", first_line(root / "etc/issue.net"));
  if (const auto status = read_text(root / "proc/self/status")) {
    std::string_view rest = *status;
    while (!rest.empty()) {
      const std::string_view line = next_line(rest);
      if (line.starts_with("Seccomp:"))
        facts["seccomp_mode"] = static_cast<std::int64_t>(leading_number(line.substr(8)).value_or(-1));
    }
  }
}

void add_limit(const char* name, __rlimit_resource resource, Attributes& facts) {
  rlimit limit{};
  if (getrlimit(resource, &limit) != 0) return;
  if (limit.rlim_cur == RLIM_INFINITY) {
    facts[name] = std::string("unlimited");
  } else {
    facts[name] = std::to_string(limit.rlim_cur);
  }
}

void add_limits(const FileRoot& root, Attributes& facts) {
  add_limit("limit_memlock_bytes", RLIMIT_MEMLOCK, facts);
  add_limit("limit_address_space_bytes", RLIMIT_AS, facts);
  add_limit("limit_stack_bytes", RLIMIT_STACK, facts);
  add_limit("limit_open_files", RLIMIT_NOFILE, facts);
  struct statvfs shm {};
  if (statvfs((root / "dev/shm").c_str(), &shm) == 0) {
    facts["shm_size_bytes"] = static_cast<std::int64_t>(shm.f_blocks * shm.f_frsize);
  }
  facts["page_size_bytes"] = static_cast<std::int64_t>(sysconf(_SC_PAGESIZE));
  facts["user_is_root"] = std::int64_t{geteuid() == 0 ? 1 : 0};
}

void add_numa(const FileRoot& root, Attributes& facts) {
  std::string with_cpus, memory_only;
  for (const int node : numa_nodes(root)) {
    std::string& list = node_has_cpus(root, node) ? with_cpus : memory_only;
    list += fmt::format("{}{}", list.empty() ? "" : ",", node);
  }
  facts["numa_nodes_with_cpus"] = with_cpus;
  facts["numa_nodes_memory_only"] = memory_only;
}

void add_launcher(const Getenv& getenv, Attributes& facts) {
  std::string launcher = "none";
  // mpirun under Slurm sets both; the process's parent is mpirun then, which srun's own variable does not
  // know.
  if (getenv("PMI_RANK") || getenv("PMI_SIZE")) launcher = "mpiexec";
  if (getenv("SLURM_STEP_ID") && getenv("SLURM_PROCID")) launcher = "srun";
  if (getenv("OMPI_COMM_WORLD_SIZE") && getenv("OMPI_MCA_ess_base_jobid")) launcher = "mpirun";
  facts["launcher"] = launcher;
  facts["under_slurm"] = std::int64_t{getenv("SLURM_JOB_ID") ? 1 : 0};
  facts["under_kubernetes"] = std::int64_t{getenv("KUBERNETES_SERVICE_HOST") ? 1 : 0};
  for (const std::string_view variable : {"SLURM_JOB_ID", "SLURM_STEP_ID", "SLURM_PROCID", "SLURM_NODELIST",
                                          "SLURM_CLUSTER_NAME", "SLURM_JOB_PARTITION"}) {
    if (const auto value = getenv(variable)) facts[std::string(variable)] = *value;
  }
}

}  // namespace

std::optional<std::string> process_environment(std::string_view name) {
  const char* const value = std::getenv(std::string(name).c_str());
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

Environment detect_environment(const FileRoot& root, const Getenv& getenv) {
  const ContainerVerdict verdict = detect_container(root, getenv);
  Environment environment{verdict.name, verdict.evidence, {}};
  add_cgroup(root, environment.facts);
  add_namespaces(root, environment.facts);
  add_kernel_settings(root, environment.facts);
  add_limits(root, environment.facts);
  add_numa(root, environment.facts);
  add_launcher(getenv, environment.facts);
  return environment;
}

}  // namespace sparkmpi::ledger
