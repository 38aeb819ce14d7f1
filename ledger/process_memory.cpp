#include "ledger/process_memory.hpp"

#include <array>

#include "ledger/field_ledger.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr double kKiB = 1024;

constexpr std::array<Field, 14> kStatus = {{
    {"VmPeak:", "VmPeak", "B", kKiB},
    {"VmSize:", "VmSize", "B", kKiB},
    {"VmLck:", "VmLck", "B", kKiB},
    {"VmPin:", "VmPin", "B", kKiB},
    {"VmHWM:", "VmHWM", "B", kKiB},
    {"VmRSS:", "VmRSS", "B", kKiB},
    {"RssAnon:", "RssAnon", "B", kKiB},
    {"RssFile:", "RssFile", "B", kKiB},
    {"RssShmem:", "RssShmem", "B", kKiB},
    {"VmData:", "VmData", "B", kKiB},
    {"VmPTE:", "VmPTE", "B", kKiB},
    {"VmSwap:", "VmSwap", "B", kKiB},
    {"HugetlbPages:", "HugetlbPages", "B", kKiB},
    {"Threads:", "Threads", "1", 1},
}};

constexpr std::array<Field, 14> kRollup = {{
    {"Rss:", "Rss", "B", kKiB},
    {"Pss:", "Pss", "B", kKiB},
    {"Pss_Anon:", "Pss_Anon", "B", kKiB},
    {"Pss_File:", "Pss_File", "B", kKiB},
    {"Pss_Shmem:", "Pss_Shmem", "B", kKiB},
    {"Shared_Clean:", "Shared_Clean", "B", kKiB},
    {"Shared_Dirty:", "Shared_Dirty", "B", kKiB},
    {"Private_Clean:", "Private_Clean", "B", kKiB},
    {"Private_Dirty:", "Private_Dirty", "B", kKiB},
    {"Anonymous:", "Anonymous", "B", kKiB},
    {"AnonHugePages:", "AnonHugePages", "B", kKiB},
    {"Private_Hugetlb:", "Private_Hugetlb", "B", kKiB},
    {"Swap:", "Swap", "B", kKiB},
    {"Locked:", "Locked", "B", kKiB},
}};

}  // namespace

ProcessStatus::ProcessStatus(const FileRoot& root) : file_(root / "proc/self/status") {}
void ProcessStatus::read(std::vector<Reading>& out) {
  read_fields(file_, kStatus, "status", 0, out);
}

SmapsRollup::SmapsRollup(const FileRoot& root) : file_(root / "proc/self/smaps_rollup") {}
void SmapsRollup::read(std::vector<Reading>& out) {
  read_fields(file_, kRollup, "smaps_rollup", 0, out);
}

}  // namespace sparkmpi::ledger
