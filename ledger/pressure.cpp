#include "ledger/pressure.hpp"

#include <fmt/format.h>

namespace sparkmpi::ledger {
namespace {

constexpr std::array<std::string_view, 3> kResources = {"cpu", "memory", "io"};
constexpr std::array<std::string_view, 2> kKinds = {"some", "full"};

/// "some avg10=0.00 avg60=0.00 avg300=0.00 total=12345" → 12345 µs.
std::optional<double> total_of(std::string_view content, std::string_view kind) {
  while (!content.empty()) {
    const std::string_view line = next_line(content);
    const auto total = line.find("total=");
    if (line.starts_with(kind) && total != std::string_view::npos)
      return leading_number(line.substr(total + 6));
  }
  return std::nullopt;
}

}  // namespace

Pressure::Pressure(const FileRoot& root)
    : files_{KernelFile(root / "proc/pressure/cpu"), KernelFile(root / "proc/pressure/memory"),
             KernelFile(root / "proc/pressure/io")} {}

void Pressure::read(std::vector<Reading>& out) {
  for (std::size_t i = 0; i < files_.size(); ++i) {
    std::string_view content;
    const Answer answer = files_[i].read(content);
    for (const std::string_view kind : kKinds) {
      const auto total = total_of(content, kind);
      const Answer given = answer != Answer::value ? answer : total ? Answer::value : Answer::absent;
      out.push_back(make_reading(fmt::format("psi.{}.{}.total", kResources[i], kind), "s", given,
                                 total.value_or(0) * 1e-6));
    }
  }
}

}  // namespace sparkmpi::ledger
