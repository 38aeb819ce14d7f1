#include "kernels/suite/default_suite.hpp"

#include <array>

namespace sparkmpi::kernels {
namespace {

constexpr std::array<std::string_view, 4> kStream = {"--footprint", "1M,16M,256M", "--max-time", "0.2"};
constexpr std::array<std::string_view, 8> kInference = {"-p", "128", "-n", "32", "-b", "1,4", "-r", "3"};
constexpr std::array<SuiteEntry, 2> kSuite = {{{"stream", kStream}, {"inference", kInference}}};

}  // namespace

std::span<const SuiteEntry> default_suite() {
  return kSuite;
}

}  // namespace sparkmpi::kernels
