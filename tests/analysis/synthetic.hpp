#pragma once
// Studies that are made up, with or without planted faults.

#include <fmt/format.h>

#include <boost/math/distributions/normal.hpp>
#include <cmath>
#include <string>
#include <vector>

#include "analysis/statistics/random.hpp"
#include "analysis/table.hpp"

namespace sparkmpi::analysis {

inline double gaussian(Random& random) {
  return boost::math::quantile(boost::math::normal_distribution<>(), random.uniform());
}

inline Rank rank_at(std::uint32_t launch) {
  Rank rank;
  rank.launch = launch;
  return rank;
}

struct SyntheticStudy {
  std::uint64_t seed = 1;
  std::size_t blocks = 10;  ///< each environment once in each, in random order
  std::vector<std::string> environments = {"native", "docker"};
  std::vector<std::string> models = {"Small-1B", "Large-8B"};
  std::size_t ranks = 2, samples = 3;
  double launch_noise = 0.003;  ///< relative, of a launch's speed
  double memory_noise = 0.05;   ///< GiB
  double docker_slowdown = 0;   ///< relative
};

inline constexpr double kGiB = 1024.0 * 1024.0 * 1024.0;

/// A faultless study unless its options say otherwise: speeds go with the models' sizes, memory is noise.
inline Table make_study(const SyntheticStudy& study) {
  Table table;
  Random random(study.seed);
  const Metric rate = {"output_tokens_per_s", "1/s", "", results::Better::higher, results::Origin::derived};
  const Metric memory = {"peak_memory_bytes", "B", "", results::Better::lower, results::Origin::measured};
  const Metric time = {"ttft_s", "s", "", results::Better::lower, results::Origin::derived};
  std::size_t position = 0;
  for (std::size_t block = 0; block < study.blocks; ++block) {
    std::vector<std::pair<std::size_t, std::size_t>> order;
    for (std::size_t m = 0; m < study.models.size(); ++m) {
      for (std::size_t e = 0; e < study.environments.size(); ++e) order.emplace_back(m, e);
    }
    random.shuffle(std::span(order));
    for (const auto& [m, e] : order) {
      Launch launch;
      launch.study = "synthetic";
      launch.environment = study.environments[e];
      launch.block = fmt::format("{}", block);
      launch.trial = fmt::format("{}", position);
      launch.order = static_cast<double>(position);
      launch.start_time = fmt::format("2026-01-01T{:02}:{:02}:00Z", position / 60, position % 60);
      launch.file = fmt::format("trial-{}.h5", position++);
      launch.ranks = static_cast<int>(study.ranks);
      const std::uint32_t at = table.add(launch);
      Point point;
      point.launch = at;
      point.kernel = "inference";
      point.model = study.models[m];
      const std::uint32_t of_point = table.add(point);
      const double slow = e == 1 ? 1 - study.docker_slowdown : 1;
      const double speed =
          100.0 / static_cast<double>(m * 7 + 1) * slow * (1 + study.launch_noise * gaussian(random));
      const double peak = (20 + 10 * static_cast<double>(m) + study.memory_noise * gaussian(random)) * kGiB;
      const double first = 0.5 * static_cast<double>(m + 1) * (1 + study.launch_noise * gaussian(random));
      for (std::size_t r = 0; r < study.ranks; ++r) {
        const std::uint32_t rank =
            table.add(Rank{at, static_cast<std::int32_t>(r), 0, "host", "host", "CPU", 0});
        std::vector<double> speeds, times;
        for (std::size_t i = 0; i < study.samples; ++i) {
          speeds.push_back(speed * (1 + 0.001 * gaussian(random)));
          times.push_back(first * (1 + 0.001 * gaussian(random)));
        }
        table.add(of_point, rank, table.add(rate), speeds);
        table.add(of_point, rank, table.add(time), times);
        table.add(of_point, rank, table.add(memory), std::vector<double>{peak});
      }
    }
  }
  table.finish();
  return table;
}

}  // namespace sparkmpi::analysis
