#include <fmt/format.h>

#include <array>
#include <charconv>
#include <string_view>

#include "base/error.hpp"
#include "kernels/gemm/product.hpp"

namespace sparkmpi::kernels::gemm {
namespace {

constexpr std::int64_t kLargest = 1 << 20;

std::int64_t parse_edge(std::string_view text, const std::string& whole) {
  std::int64_t value = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (status != std::errc{} || end != text.data() + text.size() || value < 1 || value > kLargest) {
    throw UsageError(
        fmt::format("--size: '{}' is no size; write 8192 or 28672x2048x4096 (m x n x k), each from 1 to {}",
                    whole, kLargest));
  }
  return value;
}

}  // namespace

Shape parse_shape(const std::string& text) {
  std::array<std::int64_t, 3> edges{};
  std::size_t count = 0;
  for (std::string_view rest = text;; ++count) {
    const auto cross = rest.find('x');
    const std::int64_t edge = parse_edge(rest.substr(0, cross), text);
    if (count < edges.size()) edges[count] = edge;
    if (cross == std::string_view::npos) break;
    rest.remove_prefix(cross + 1);
  }
  if (count == 0) return {edges[0], edges[0], edges[0]};
  if (count == 2) return {edges[0], edges[1], edges[2]};
  throw UsageError(fmt::format("--size: '{}' has {} edges; write one or three", text, count + 1));
}

}  // namespace sparkmpi::kernels::gemm
