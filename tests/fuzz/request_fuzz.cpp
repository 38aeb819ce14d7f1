#include <stdexcept>

#include "kernels/inference/request.hpp"
#include "tests/fuzz/driver.hpp"

void sparkmpi::fuzz::try_input(std::span<const std::byte> input) {
  for (const auto& request : kernels::inference::parse_requests(
           {reinterpret_cast<const char*>(input.data()), input.size()}, "fuzz", {1000, 4096})) {
    if (request.prompt.empty() || request.output_tokens < 1)
      throw std::logic_error("a senseless request was accepted");
    for (const auto id : request.prompt) {
      if (id < 0 || id >= 1000) throw std::logic_error("an id outside of the vocabulary was accepted");
    }
  }
}
