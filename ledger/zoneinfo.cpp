#include "ledger/zoneinfo.hpp"

#include <unistd.h>

namespace sparkmpi::ledger {

Zoneinfo::Zoneinfo(const FileRoot& root) : file_(root / "proc/zoneinfo") {}

void Zoneinfo::read(std::vector<Reading>& out) {
  std::string_view content;
  Answer answer = file_.read(content);
  double pages = 0;
  bool found = false;
  while (!content.empty()) {
    std::string_view line = next_line(content);
    constexpr std::string_view kCount = "count:";
    const auto start = line.find_first_not_of(' ');
    if (start == std::string_view::npos || !line.substr(start).starts_with(kCount)) continue;
    if (const auto number = leading_number(line.substr(start + kCount.size()))) {
      pages += *number;
      found = true;
    }
  }
  if (answer == Answer::value && !found) answer = Answer::absent;
  out.push_back(
      make_reading("zoneinfo.pcp_free", "B", answer, pages * static_cast<double>(sysconf(_SC_PAGESIZE))));
}

}  // namespace sparkmpi::ledger
