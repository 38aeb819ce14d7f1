// Plans, designs and schedules of studies; the runs themselves are in tests/e2e/studies.py.

#include "launchers/study/study.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "base/error.hpp"
#include "launchers/study/design.hpp"
#include "launchers/study/fit.hpp"
#include "launchers/study/machine_state.hpp"
#include "launchers/study/plan.hpp"
#include "launchers/study/schedule.hpp"

namespace sparkmpi::launchers::study {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

constexpr const char* kPlan = R"([study]
name = demo   # a comment
repetitions = 4
seed = 3
ranks = 2

[environments]
native = native
root = chroot rootfs=@rootfs
small = cgroup memory=1G
inside = podman "image=a b" model=inside

[points]
stream = stream --footprint 1M
inference = inference -m @model -b @batch

[parameters]
model = A B
batch = 1 4
)";

StudyPlan demo(const std::string& text = kPlan) {
  return parse_plan(text, "/plans/demo.ini");
}

const Places kPlaces = {{"rootfs", "/s/rootfs"}, {"plan", "/plans"}};

std::string fault(const std::string& text) {
  try {
    make_schedule(demo(text), kPlaces);
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no fault";
}

std::string replaced(const std::string& from, const std::string& to) {
  std::string text = kPlan;
  return text.replace(text.find(from), from.size(), to);
}

TEST(Plan, SaysWhatItSays) {
  const StudyPlan plan = demo();
  EXPECT_EQ(plan.name, "demo");
  EXPECT_EQ(plan.repetitions, 4);
  EXPECT_EQ(plan.cooldown.gpu_temperature_c, 45);
  ASSERT_EQ(plan.environments.size(), 4U);
  EXPECT_EQ(plan.environments[3].model, LaunchModel::inside);
  EXPECT_THAT(plan.environments[3].options, ElementsAre("image=a b"));
  EXPECT_THAT(plan.points[1].words, ElementsAre("inference", "-m", "@model", "-b", "@batch"));
}

TEST(Plan, FaultsNameTheirLine) {
  EXPECT_THAT(fault(replaced("seed = 3", "sead = 3")),
              HasSubstr("line 4: sead: there is no option 'study.sead'"));
  EXPECT_THAT(fault(replaced("seed = 3", "sead = 3")), HasSubstr("did you mean 'study.seed'"));
  EXPECT_THAT(fault(replaced("ranks = 2", "ranks = two")), HasSubstr("line 5: ranks"));
  EXPECT_THAT(fault(replaced("ranks = 2", "seed = 4")), HasSubstr("line 5: seed: is given twice"));
  EXPECT_THAT(fault(replaced("ranks = 2", "ranks")), HasSubstr("line 5"));
  EXPECT_THAT(fault(replaced("memory=1G", "memry=1G")),
              HasSubstr("line 10: small: cgroup: there is no option 'memry'"));
  EXPECT_THAT(fault(replaced("cgroup memory", "cgrup memory")), HasSubstr("did you mean 'cgroup'"));
  EXPECT_THAT(fault(replaced("small =", "sm/all =")), HasSubstr("line 10"));
  EXPECT_THAT(fault(replaced("[points]", "[pionts]")), HasSubstr("there is no option 'pionts.stream'"));
  EXPECT_THAT(fault(replaced("@batch", "@bach")), HasSubstr("'@bach'"));
  EXPECT_THAT(fault(replaced("@batch", "1")), HasSubstr("no point mentions the parameter batch"));
}

/// Two points over several numbers of ranks; the second on at least two GPUs of 40 GiB in all.
constexpr const char* kRanks = R"([study]
name = ranks
ranks = 1-8*2
ranks-at-most = gpus

[variables]
NCCL_NVLS_ENABLE = 0

[environments]
native = native

[points]
divided = inference --tp @ranks
large = inference -m large

[ranks]
large = 2,4

[gpu-memory]
divided = 20G each
large = 60G together
)";

std::vector<std::pair<std::string, int>> points_of(const StudyPlan& plan) {
  std::vector<std::pair<std::string, int>> points;
  for (const Trial& trial : make_schedule(plan, kPlaces)) points.emplace_back(trial.point, trial.ranks);
  std::ranges::sort(points);
  return points;
}

TEST(Ranks, AreAFactorOfTheStudy) {
  using Pair = std::pair<std::string, int>;
  EXPECT_THAT(points_of(demo(kRanks)),
              ElementsAre(Pair("divided ranks=1", 1), Pair("divided ranks=2", 2), Pair("divided ranks=4", 4),
                          Pair("divided ranks=8", 8), Pair("large ranks=2", 2), Pair("large ranks=4", 4)));
  const StudyPlan plan = demo(kRanks);
  for (const Trial& trial : make_schedule(plan, kPlaces)) {
    if (trial.point != "divided ranks=4") continue;
    EXPECT_EQ(trial.words, (Argv{"inference", "--tp", "4"}));
    const Argv command = trial_command(plan, trial, places_of(plan, "/s"), "/s/a", {});
    EXPECT_THAT(std::vector(command.begin(), command.begin() + 7),
                ElementsAre("env", "NCCL_NVLS_ENABLE=0", "mpirun", "-np", "4", "-x", "NCCL_NVLS_ENABLE"));
  }
}

TEST(Ranks, FaultsNameTheirLine) {
  const auto changed = [](const std::string& from, const std::string& to) {
    std::string text = kRanks;
    return fault(text.replace(text.find(from), from.size(), to));
  };
  EXPECT_THAT(changed("1-8*2", "1,2,1"), HasSubstr("line 3: ranks: 1 is there twice"));
  EXPECT_THAT(changed("1-8*2", "0,1"), HasSubstr("line 3: ranks"));
  EXPECT_THAT(changed("= gpus", "= gpu"), HasSubstr("line 4: ranks-at-most: 'gpu' is none of any, gpus"));
  EXPECT_THAT(changed("large = 2,4", "lagre = 2,4"),
              HasSubstr("line 17: lagre: there is no point of that name"));
  EXPECT_THAT(changed("20G each", "20G"), HasSubstr("line 20: divided: '20G' is no GPU memory"));
  EXPECT_THAT(changed("large = 60G", "ranks = 60G"), HasSubstr("line 21"));
}

TEST(Fit, WhatTheGpusCanNotDoIsLeftOutAndSaid) {
  const Fitted two = fitted(demo(kRanks), parse_gpus("2x40G"));
  EXPECT_THAT(two.plan.points[0].ranks, ElementsAre(1, 2));
  EXPECT_THAT(two.plan.points[1].ranks, ElementsAre(2));
  EXPECT_THAT(two.left_out, ElementsAre("divided with 4, 8 ranks is left out: there are 2 GPUs",
                                        "large with 4 ranks is left out: there are 2 GPUs"));
  EXPECT_EQ(make_schedule(two.plan, kPlaces).size(), 3U);

  const Fitted small = fitted(demo(kRanks), parse_gpus("4x20G"));
  EXPECT_THAT(small.plan.points[1].ranks, ElementsAre(4));
  EXPECT_THAT(small.left_out,
              testing::Contains("large with 2 ranks is left out: 2 GPUs have 40.0 GiB, it needs 60.0 GiB"));

  const Fitted each = fitted(demo(kRanks), parse_gpu_memories("40960\n16384\n"));
  EXPECT_THAT(each.plan.points[0].ranks, ElementsAre(1));
  EXPECT_THAT(each.left_out, testing::Contains(HasSubstr("GPU 1 has 16.0 GiB, it needs 20.0 GiB on each")));

  // One GPU leaves the large point without any; a parameter that only it mentions is no fault.
  EXPECT_EQ(make_schedule(fitted(demo(kRanks), parse_gpus("1")).plan, kPlaces).size(), 1U);
  EXPECT_THROW(fitted(demo(kRanks), {}), UsageError);
  EXPECT_EQ(fitted(demo(), {}).left_out.size(), 0U);
}

TEST(Fit, UnknownMemoryLeavesNothingOut) {
  const std::vector<Gpu> gpus = parse_gpu_memories("[N/A]\n[N/A]\n");
  ASSERT_EQ(gpus.size(), 2U);
  EXPECT_FALSE(gpus[0].memory);
  EXPECT_THAT(fitted(demo(kRanks), gpus).plan.points[1].ranks, ElementsAre(2));
}

TEST(Fit, GpusAsPeopleWriteThem) {
  EXPECT_EQ(parse_gpus("8").size(), 8U);
  EXPECT_EQ(parse_gpus("2x1.5G")[1].memory, 1.5 * (1 << 30));
  for (const char* wrong : {"", "x80G", "2y80G", "2x", "-1", "two"})
    EXPECT_THROW(parse_gpus(wrong), UsageError) << wrong;
}

TEST(Schedule, EveryBlockIsCompleteAndShuffled) {
  const StudyPlan plan = demo();
  const std::vector<Trial> trials = make_schedule(plan, kPlaces);
  ASSERT_EQ(trials.size(), 4U * 4U * 5U);
  std::map<int, std::set<std::pair<std::size_t, std::string>>> blocks;
  std::set<std::string> names;
  for (const Trial& trial : trials) {
    blocks[trial.block].emplace(trial.environment, trial.point);
    names.insert(trial.name);
  }
  ASSERT_EQ(blocks.size(), 4U);
  for (const auto& [block, cells] : blocks) EXPECT_EQ(cells.size(), 20U) << block;
  EXPECT_EQ(names.size(), trials.size());
  const auto environments_of = [&](int block) {
    std::vector<std::size_t> list;
    for (const Trial& trial : trials)
      if (trial.block == block) list.push_back(trial.environment);
    return list;
  };
  EXPECT_NE(environments_of(1), environments_of(2));
  EXPECT_TRUE(std::ranges::any_of(trials, [](const Trial& trial) {
    return trial.words == Argv{"inference", "-m", "B", "-b", "4"} &&
           trial.point == "inference model=B batch=4";
  }));
}

TEST(Schedule, TheSeedDecides) {
  const auto text = [](const std::string& plan) {
    return schedule_text(demo(plan), make_schedule(demo(plan), kPlaces));
  };
  EXPECT_EQ(text(kPlan), text(kPlan));
  EXPECT_NE(text(kPlan), text(replaced("seed = 3", "seed = 4")));
  EXPECT_THAT(text(kPlan), HasSubstr("order,block,trial,environment,previous,point,arguments\n1,1,0001-b1-"));
}

TEST(Design, WilliamsBalancesPlacesAndNeighbours) {
  for (const std::size_t count : {2U, 3U, 4U, 5U, 8U, 9U}) {
    const std::vector<Order> sequences = williams_sequences(count);
    const std::size_t expected = count % 2 == 0 ? count : 2 * count;
    ASSERT_EQ(sequences.size(), expected);
    std::map<std::pair<std::size_t, std::size_t>, std::size_t> places, pairs;
    for (const Order& sequence : sequences) {
      for (std::size_t i = 0; i < sequence.size(); ++i) {
        ++places[{sequence[i], i}];
        if (i > 0) ++pairs[{sequence[i - 1], sequence[i]}];
      }
    }
    EXPECT_EQ(places.size(), count * count);
    for (const auto& [place, times] : places) EXPECT_EQ(times, expected / count);
    EXPECT_EQ(pairs.size(), count * (count - 1)) << count;
    for (const auto& [pair, times] : pairs) EXPECT_EQ(times, expected / count) << count;
  }
}

TEST(Design, NumbersAreTheSameEverywhere) {
  // The published test vector of SplitMix64 for the state 1234567.
  Random random(1234567);
  EXPECT_EQ(random.next(), 6457827717110365317ULL);
  EXPECT_EQ(random.next(), 3203168211198807973ULL);
}

TEST(Design, AnUnfinishedWilliamsDesignSaysSo) {
  EXPECT_THAT(design_notes(demo(replaced("repetitions = 4", "repetitions = 8\ndesign = williams"))),
              testing::IsEmpty());
  EXPECT_THAT(design_notes(demo(replaced("repetitions = 4", "repetitions = 6\ndesign = williams"))),
              ElementsAre(HasSubstr("balanced after 4 blocks")));
}

TEST(MachineStateTest, WhatIsMissingIsSaid) {
  StudyPlan plan = demo();
  plan.cooldown.memory_available = std::uint64_t{8} << 30U;
  MachineState state;
  state.memory_available = 9e9;
  EXPECT_EQ(missing_in(state, plan), "");
  state.gpu_temperatures_c = {44, 61};
  EXPECT_THAT(missing_in(state, plan), HasSubstr("61 °C, wanted below 45"));
  state.gpu_temperatures_c = {44};
  state.memory_available = 1e9;
  EXPECT_THAT(missing_in(state, plan), HasSubstr("MemAvailable"));
  state.memory_available.reset();  // not known is not enough
  EXPECT_THAT(missing_in(state, plan), HasSubstr("MemAvailable"));
  plan.cooldown.memory_available = 0;
  plan.cache = CacheState::warm;
  state.cached_share = 0.5;
  EXPECT_THAT(missing_in(state, plan), HasSubstr("50.0 % of the files"));
  plan.cache = CacheState::cold;
  EXPECT_THAT(missing_in(state, plan), HasSubstr("still cached"));
  state.cached_share = 0;
  EXPECT_EQ(missing_in(state, plan), "");
}

TEST(MachineStateTest, TemperaturesOfSeveralGpus) {
  EXPECT_THAT(parse_temperatures("41\n38\n"), ElementsAre(41, 38));
  EXPECT_THAT(parse_temperatures("[N/A]\n"), testing::IsEmpty());
}

TEST(ShippedPlans, AreWholeAndAsLargeAsTheyShould) {
  const std::map<std::string, std::size_t> expected = {{"ci", 6},
                                                       {"quick", 40},
                                                       {"gpu-environments", 18},
                                                       {"phase1", 60},
                                                       {"phase2a", 600},
                                                       {"phase2b", 2400},
                                                       {"phase2c", 2700},
                                                       {"scaling-tp", 100},
                                                       {"scaling-replicas", 100},
                                                       {"scaling-short", 81}};
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SPARKMPI_PLANS)) {
    const StudyPlan plan = read_plan(entry.path());
    const Places places = places_of(plan, "/study");
    const std::vector<Trial> trials = make_schedule(plan, places);
    EXPECT_EQ(plan.name, entry.path().stem().string());
    EXPECT_EQ(trials.size(), expected.at(plan.name)) << plan.name;
    EXPECT_NO_THROW(trial_command(plan, trials.front(), places, "/study/trials/x/attempt-1", {"trial=x"}));
    ++found;
  }
  EXPECT_EQ(found, expected.size());
}

}  // namespace
}  // namespace sparkmpi::launchers::study
