#include <stdexcept>

#include "kernels/inference/model_config.hpp"
#include "tests/fuzz/driver.hpp"

void sparkmpi::fuzz::try_input(std::span<const std::byte> input) {
  const auto config = kernels::inference::parse_model_config(
      {reinterpret_cast<const char*>(input.data()), input.size()}, "fuzz");
  // What was accepted has to be a shape that the engine can divide by.
  if (config.heads < 1 || config.kv_heads < 1 || config.head_dim < 1 || config.heads % config.kv_heads != 0 ||
      config.experts < 0 || config.experts_per_token > config.experts || config.window_period < 1 ||
      config.parameters() == 0 || config.parameters() < config.parameters_read_per_step(0) ||
      config.weight_bytes() < config.parameters() / 2)
    throw std::logic_error("a senseless shape was accepted");
}
