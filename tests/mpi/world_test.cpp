// Collective cases: every rank runs the same program and each checks what it sees.

#include "mpi/world.hpp"

#include <gtest/gtest.h>

#include <cstdio>
#include <thread>

namespace sparkmpi::mpi {
namespace {

World* world = nullptr;  // MPI starts once a process, in main()

TEST(WorldTest, RanksKnowTheirPlaceOnTheNode) {
  EXPECT_EQ(world->local_size(), world->size());  // the test starts all ranks on one machine
  EXPECT_EQ(world->local_rank(), world->rank());
  EXPECT_EQ(world->node(), 0);
  EXPECT_EQ(world->node_count(), 1);
}

TEST(WorldTest, GatherKeepsOrderAndLengths) {
  const std::vector<std::uint8_t> mine(static_cast<std::size_t>(world->rank()) * 100000,
                                       static_cast<std::uint8_t>(world->rank()));
  const auto all = world->gather(mine);
  if (world->rank() != 0) {
    EXPECT_TRUE(all.empty());
    return;
  }
  ASSERT_EQ(all.size(), static_cast<std::size_t>(world->size()));
  for (std::size_t rank = 0; rank < all.size(); ++rank)
    EXPECT_EQ(all[rank], std::vector<std::uint8_t>(rank * 100000, static_cast<std::uint8_t>(rank)));
}

TEST(WorldTest, EveryRankOfTheNodeGathers) {
  const std::vector<std::uint8_t> mine = {static_cast<std::uint8_t>(world->rank() + 1)};
  const auto all = world->gather_on_node(mine);
  ASSERT_EQ(all.size(), static_cast<std::size_t>(world->local_size()));
  EXPECT_EQ(all.back().at(0), world->local_size());
}

TEST(WorldTest, OneDissenterIsEnough) {
  EXPECT_TRUE(world->all_agree("vote", true));
  EXPECT_FALSE(world->all_agree("vote", world->rank() != world->size() - 1));
  EXPECT_TRUE(world->end_section("end", true, false).all_agree);
}

TEST(WorldTest, AFailureOnOneRankIsEverybodysMessage) {
  const int last = world->size() - 1;
  std::string message;
  try {
    world->together("step", [&] {
      if (world->rank() == last) throw UsageError("the last rank says no");
    });
  } catch (const UsageError& error) {
    message = error.what();
  }
  EXPECT_EQ(message, "the last rank says no");
  EXPECT_NO_THROW(world->together("step", [] {}));
}

TEST(WorldTest, RanksInsideAKernelLearnOfAFailureAndAllMeetAtTheEnd) {
  const int last = world->size() - 1;
  bool told = false;
  try {
    world->barrier("kernel: first");
    if (world->rank() == last) throw Error("broken");
    world->barrier("kernel: second");
    world->barrier("kernel: third");
  } catch (const kernels::PeerFailure&) {
    told = true;
  } catch (const Error&) {
  }
  const PhaseResult result = world->end_section("kernel: end", true, world->rank() == last);
  EXPECT_EQ(result.failed_rank, last);
  EXPECT_EQ(told, world->rank() != last);
  EXPECT_EQ(world->end_section("next", true, false).failed_rank, -1);  // all are in step again
}

TEST(WorldTest, BroadcastFromAnyRank) {
  const int last = world->size() - 1;
  EXPECT_EQ(world->broadcast(world->rank() == last ? "text" : "", last), "text");
}

TEST(WorldTest, GroupsAddUpInRankOrderAndAgreeToTheBit) {
  const int half = world->size() == 1 ? 1 : world->size() / 2;
  const auto group = world->group(half);
  EXPECT_EQ(group->size(), half);
  EXPECT_EQ(group->rank(), world->rank() % half);
  std::vector<float> values(70'000);  // beyond what MPI sends eagerly
  for (std::size_t i = 0; i < values.size(); ++i)
    values[i] = 0.1F * static_cast<float>(group->rank() + 1) + static_cast<float>(i);
  group->sum(values);
  for (std::size_t i = 0; i < values.size(); i += 999) {
    float expected = 0.1F + static_cast<float>(i);
    for (int member = 1; member < half; ++member)
      expected += 0.1F * static_cast<float>(member + 1) + static_cast<float>(i);
    ASSERT_EQ(values[i], expected) << i;
  }
  int word = group->rank() == half - 1 ? 4711 : 0;
  group->broadcast(std::as_writable_bytes(std::span(&word, 1)), half - 1);
  EXPECT_EQ(word, 4711);
}

TEST(WorldTest, MembersOfAGroupLearnThatOneHasFailed) {
  if (world->size() == 1) GTEST_SKIP() << "needs two ranks";
  bool told = false;
  try {
    const auto group = world->group(world->size());
    std::vector<float> values(world->size() * 1000);
    group->sum(values);
    if (group->rank() == 1) throw Error("broken");
    group->sum(values);
  } catch (const kernels::PeerFailure&) {
    told = true;
  } catch (const Error&) {
  }
  EXPECT_EQ(told, world->rank() != 1);
  EXPECT_EQ(world->end_section("kernel: end", true, world->rank() == 1).failed_rank, 1);
}

TEST(WorldTest, AGroupSizeThatDoesNotDivideIsRefused) {
  EXPECT_THROW(world->group(world->size() + 1), UsageError);
}

/// Last: the wish to stop stays.
TEST(WorldTest, ZAnInterruptReachesEveryRankAtTheNextPhase) {
  if (world->rank() == world->size() - 1) world->interruption().request(SIGTERM);
  bool left_early = false;
  try {
    for (int i = 0; i < 3 && !world->interruption().requested(); ++i) world->barrier("kernel: work");
  } catch (const kernels::PeerInterrupted&) {
    left_early = true;
  }
  world->end_section("kernel: end", true, false);
  EXPECT_EQ(world->interruption().signal(), SIGTERM);
  EXPECT_EQ(left_early, world->rank() != world->size() - 1);
}

}  // namespace
}  // namespace sparkmpi::mpi

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  sparkmpi::mpi::World world(argc, argv);
  sparkmpi::mpi::world = &world;
  const int failed = RUN_ALL_TESTS();
  return failed;
}
