#include "kernels/charge/charge_options.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "base/bytes.hpp"
#include "base/error.hpp"
#include "base/near_match.hpp"
#include "base/value_list.hpp"

namespace sparkmpi::kernels::charge {
namespace {

constexpr std::size_t kLargestPage = std::size_t{2} << 20U;

}  // namespace

std::vector<AllocatorInfo> chosen_allocators(std::string_view text, std::span<const AllocatorInfo> host,
                                             std::span<const AllocatorInfo> cuda) {
  std::vector<AllocatorInfo> known(host.begin(), host.end());
  known.insert(known.end(), cuda.begin(), cuda.end());
  std::vector<std::string_view> names = {"all", "host", "cuda"};
  for (const AllocatorInfo& info : known) names.push_back(info.name);
  std::vector<std::string_view> wanted = {"malloc", "file_read"};
  for (const std::string_view word : split_list(text, "--allocators")) {
    if (std::ranges::find(names, word) == names.end()) {
      throw UsageError(fmt::format("--allocators: there is no '{}' here{}; use {}", word,
                                   did_you_mean(word, names), fmt::join(names, ", ")));
    }
    if (word == "cuda" && cuda.empty()) throw UsageError("--allocators cuda: this rank drives no GPU");
    for (const AllocatorInfo& info : known) {
      const std::string_view group = info.needs == Needs::gpu ? "cuda" : "host";
      if (word == "all" || word == group || word == info.name) wanted.push_back(info.name);
    }
  }
  std::erase_if(
      known, [&](const AllocatorInfo& info) { return std::ranges::find(wanted, info.name) == wanted.end(); });
  return known;
}

std::vector<std::size_t> chosen_sizes(std::string_view text) {
  if (text == "auto") return {};
  std::vector<std::size_t> sizes;
  for (const std::int64_t bytes : parse_integer_list(text, "--sizes", true)) {
    if (bytes <= 0 || static_cast<std::size_t>(bytes) % kLargestPage != 0) {
      throw UsageError(fmt::format("--sizes: {} is no whole number of 2 MiB, to which allocators round up",
                                   format_bytes(static_cast<double>(bytes))));
    }
    sizes.push_back(static_cast<std::size_t>(bytes));
  }
  std::ranges::sort(sizes);
  sizes.erase(std::unique(sizes.begin(), sizes.end()), sizes.end());
  if (sizes.size() < 3)
    throw UsageError("--sizes: a slope with its interval needs three different sizes, such as 64M,128M,256M");
  return sizes;
}

std::vector<PlannedCell> randomised(const std::vector<PlannedCell>& cells, int repetitions, int idle,
                                    std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<PlannedCell> order;
  int idle_done = 0;
  for (int block = 0; block < repetitions; ++block) {
    const auto first = static_cast<std::ptrdiff_t>(order.size());
    order.insert(order.end(), cells.begin(), cells.end());
    for (const int until = idle * (block + 1) / repetitions; idle_done < until; ++idle_done) {
      const std::size_t like = static_cast<std::size_t>(idle_done) % cells.size();
      order.push_back({std::string(kIdle), cells[like].bytes});
    }
    std::shuffle(order.begin() + first, order.end(), random);
  }
  return order;
}

}  // namespace sparkmpi::kernels::charge
