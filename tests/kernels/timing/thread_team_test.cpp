#include "kernels/host/thread_team.hpp"

#include <gtest/gtest.h>

#include <atomic>
#include <numeric>
#include <stdexcept>

namespace sparkmpi::kernels::host {
namespace {

TEST(ThreadTeam, WritesBeforeABarrierAreSeenAfterIt) {
  ThreadTeam team({0, 0, 0});  // three workers on one core: barriers have to let others run
  std::vector<int> values(3, 0);
  for (int round = 1; round <= 200; ++round) {
    std::atomic<int> wrong = 0;
    team.run([&](int worker) {
      values[static_cast<std::size_t>(worker)] = round;
      team.barrier();
      if (std::accumulate(values.begin(), values.end(), 0) != 3 * round) ++wrong;
      team.barrier();
    });
    ASSERT_EQ(wrong, 0);
  }
}

TEST(ThreadTeam, AWorkersExceptionReachesTheCaller) {
  ThreadTeam team({0, 0});
  EXPECT_THROW(team.run([](int worker) {
    if (worker == 1) throw std::runtime_error("x");
  }),
               std::runtime_error);
  int ran = 0;
  team.run([&](int worker) {
    if (worker == 0) ++ran;
  });
  EXPECT_EQ(ran, 1);
}

TEST(SliceOf, SlicesCoverEverythingOnceInWholeGrains) {
  for (const std::size_t count : {0U, 1U, 5U, 64U, 1000U}) {
    for (const int workers : {1, 2, 3, 7, 64}) {
      std::size_t next = 0;
      for (int worker = 0; worker < workers; ++worker) {
        const Slice slice = slice_of(count, worker, workers, 8);
        EXPECT_EQ(slice.begin, next);
        EXPECT_TRUE(slice.begin % 8 == 0 || slice.begin == count);
        next = slice.end;
      }
      EXPECT_EQ(next, count);
    }
  }
}

}  // namespace
}  // namespace sparkmpi::kernels::host
