#include "ledger/meminfo.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "ledger/field_ledger.hpp"

namespace sparkmpi::ledger {
namespace {

constexpr double kKiB = 1024;

// The file says kB and means KiB (fs/proc/meminfo.c shifts pages by PAGE_SHIFT - 10).
constexpr std::array<Field, 31> kMeminfo = {{
    {"MemTotal:", "MemTotal", "B", kKiB},
    {"MemFree:", "MemFree", "B", kKiB},
    {"MemAvailable:", "MemAvailable", "B", kKiB},
    {"Buffers:", "Buffers", "B", kKiB},
    {"Cached:", "Cached", "B", kKiB},
    {"SwapCached:", "SwapCached", "B", kKiB},
    {"Active:", "Active", "B", kKiB},
    {"Inactive:", "Inactive", "B", kKiB},
    {"Unevictable:", "Unevictable", "B", kKiB},
    {"Mlocked:", "Mlocked", "B", kKiB},
    {"SwapTotal:", "SwapTotal", "B", kKiB},
    {"SwapFree:", "SwapFree", "B", kKiB},
    {"Dirty:", "Dirty", "B", kKiB},
    {"Writeback:", "Writeback", "B", kKiB},
    {"AnonPages:", "AnonPages", "B", kKiB},
    {"Mapped:", "Mapped", "B", kKiB},
    {"Shmem:", "Shmem", "B", kKiB},
    {"KReclaimable:", "KReclaimable", "B", kKiB},
    {"Slab:", "Slab", "B", kKiB},
    {"SReclaimable:", "SReclaimable", "B", kKiB},
    {"SUnreclaim:", "SUnreclaim", "B", kKiB},
    {"KernelStack:", "KernelStack", "B", kKiB},
    {"PageTables:", "PageTables", "B", kKiB},
    {"SecPageTables:", "SecPageTables", "B", kKiB},
    {"VmallocUsed:", "VmallocUsed", "B", kKiB},
    {"Percpu:", "Percpu", "B", kKiB},
    {"Zswap:", "Zswap", "B", kKiB},
    {"AnonHugePages:", "AnonHugePages", "B", kKiB},
    {"ShmemHugePages:", "ShmemHugePages", "B", kKiB},
    {"Hugetlb:", "Hugetlb", "B", kKiB},
    {"CmaFree:", "CmaFree", "B", kKiB},
}};

constexpr std::array<Field, 13> kNodeMeminfo = {{
    {"MemTotal:", "MemTotal", "B", kKiB},
    {"MemFree:", "MemFree", "B", kKiB},
    {"MemUsed:", "MemUsed", "B", kKiB},
    {"Active:", "Active", "B", kKiB},
    {"Inactive:", "Inactive", "B", kKiB},
    {"FilePages:", "FilePages", "B", kKiB},
    {"AnonPages:", "AnonPages", "B", kKiB},
    {"Mapped:", "Mapped", "B", kKiB},
    {"Shmem:", "Shmem", "B", kKiB},
    {"Slab:", "Slab", "B", kKiB},
    {"PageTables:", "PageTables", "B", kKiB},
    {"AnonHugePages:", "AnonHugePages", "B", kKiB},
    {"KernelStack:", "KernelStack", "B", kKiB},
}};

std::string_view next_word(std::string_view& line) {
  const auto begin = line.find_first_not_of(" \t");
  if (begin == std::string_view::npos) return line = {};
  line.remove_prefix(begin);
  const std::string_view word = line.substr(0, line.find_first_of(" \t"));
  line.remove_prefix(word.size());
  return word;
}

}  // namespace

void read_fields(KernelFile& file, std::span<const Field> fields, std::string_view prefix, int skip,
                 std::vector<Reading>& out) {
  std::string_view content;
  const Answer answer = file.read(content);
  const std::size_t first = out.size();
  for (const Field& field : fields) {
    out.push_back(make_reading(fmt::format("{}.{}", prefix, field.name), field.unit,
                               answer == Answer::value ? Answer::absent : answer));
  }
  while (!content.empty()) {
    std::string_view line = next_line(content);
    for (int i = 0; i < skip; ++i) next_word(line);
    const std::string_view key = next_word(line);
    const auto field = std::ranges::find(fields, key, &Field::key);
    if (field == fields.end()) continue;
    if (const auto number = leading_number(line)) {
      Reading& reading = out[first + static_cast<std::size_t>(field - fields.begin())];
      reading.answer = Answer::value;
      reading.value = *number * field->scale;
    }
  }
}

Meminfo::Meminfo(const FileRoot& root) : file_(root / "proc/meminfo") {}

void Meminfo::read(std::vector<Reading>& out) {
  read_fields(file_, kMeminfo, "meminfo", 0, out);
}

NumaMeminfo::NumaMeminfo(const FileRoot& root, int node)
    : name_(fmt::format("node{}", node)),
      file_(root / fmt::format("sys/devices/system/node/node{}/meminfo", node)) {}

void NumaMeminfo::read(std::vector<Reading>& out) {
  read_fields(file_, kNodeMeminfo, name_, 2, out);
}

std::vector<int> numa_nodes(const FileRoot& root) {
  std::vector<int> nodes;
  std::error_code failed;
  for (const auto& entry : std::filesystem::directory_iterator(root / "sys/devices/system/node", failed)) {
    const std::string name = entry.path().filename().string();
    int node = 0;
    const auto [end, status] =
        std::from_chars(name.data() + std::min<std::size_t>(4, name.size()), name.data() + name.size(), node);
    if (name.starts_with("node") && status == std::errc{} && end == name.data() + name.size())
      nodes.push_back(node);
  }
  std::ranges::sort(nodes);
  return nodes;
}

bool node_has_cpus(const FileRoot& root, int node) {
  return !first_line(root / fmt::format("sys/devices/system/node/node{}/cpulist", node)).empty();
}

}  // namespace sparkmpi::ledger
