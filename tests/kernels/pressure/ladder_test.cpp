#include "kernels/pressure/ladder.hpp"

#include <gtest/gtest.h>

#include <functional>
#include <stdexcept>
#include <vector>

namespace sparkmpi::kernels::pressure {
namespace {

constexpr std::uint64_t kMiB = std::uint64_t{1} << 20U;
constexpr std::uint64_t kEndless = ~std::uint64_t{0} / 2;

/// Climbs against a made-up machine; returns the sizes tried, in order.
std::vector<std::uint64_t> climb(Ladder& ladder, const std::function<bool(std::uint64_t)>& grants) {
  std::vector<std::uint64_t> tried;
  while (const auto size = ladder.next()) {
    tried.push_back(*size);
    grants(*size) ? ladder.granted(*size) : ladder.refused(*size);
    if (tried.size() > 10'000) throw std::runtime_error("the ladder has no end");
  }
  return tried;
}

TEST(Ladder, FindsEveryLimitToWithinItsResolution) {
  for (std::uint64_t limit = 1; limit < 1100 * kMiB; limit += 7 * kMiB + 4096) {
    Ladder ladder({32 * kMiB, 4 * kMiB, kEndless});
    climb(ladder, [&](std::uint64_t size) { return size <= limit; });
    ASSERT_TRUE(ladder.smallest_refused());
    EXPECT_LE(ladder.largest_granted(), limit);
    EXPECT_GT(*ladder.smallest_refused(), limit);
    EXPECT_LE(*ladder.smallest_refused() - ladder.largest_granted(), 4 * kMiB);
  }
}

TEST(Ladder, StepsUpAndThenHalvesTheGap) {
  Ladder ladder({32 * kMiB, 4 * kMiB, kEndless});
  const auto tried = climb(ladder, [](std::uint64_t size) { return size <= 75 * kMiB; });
  const std::vector<std::uint64_t> expected = {32 * kMiB, 64 * kMiB, 96 * kMiB,
                                               80 * kMiB, 72 * kMiB, 76 * kMiB};
  EXPECT_EQ(tried, expected);
  EXPECT_EQ(ladder.largest_granted(), 72 * kMiB);
  EXPECT_EQ(ladder.smallest_refused(), 76 * kMiB);
}

TEST(Ladder, AnswersWhenNothingAtAllIsGranted) {
  Ladder ladder({64 * kMiB, 8 * kMiB, kEndless});
  climb(ladder, [](std::uint64_t) { return false; });
  EXPECT_EQ(ladder.largest_granted(), 0U);
  EXPECT_LE(*ladder.smallest_refused(), 8 * kMiB);
}

TEST(Ladder, NeverTriesMoreThanItsCeiling) {
  Ladder ladder({32 * kMiB, 4 * kMiB, 100 * kMiB + 1});
  const auto tried = climb(ladder, [](std::uint64_t) { return true; });
  EXPECT_EQ(tried.back(), 100 * kMiB + 1);
  EXPECT_EQ(ladder.largest_granted(), 100 * kMiB + 1);
  EXPECT_FALSE(ladder.smallest_refused());
}

TEST(Ladder, EndsOnAMachineThatChangesItsMind) {
  Ladder ladder({32 * kMiB, 2 * kMiB, kEndless});
  int asked = 0;
  const auto tried = climb(ladder, [&](std::uint64_t) { return ++asked % 3 != 0; });
  EXPECT_LT(tried.size(), 20U);
  EXPECT_LT(ladder.largest_granted(), *ladder.smallest_refused());
}

TEST(Ladder, TriesOnlyWhatLiesBetweenGrantedAndRefused) {
  for (const std::uint64_t limit : {3 * kMiB, 101 * kMiB, 333 * kMiB}) {
    Ladder ladder({50 * kMiB, 1, kEndless});  // rounded up to a grain
    climb(ladder, [&](std::uint64_t size) {
      EXPECT_GT(size, ladder.largest_granted());
      EXPECT_LT(size, ladder.smallest_refused().value_or(kEndless));
      return size <= limit;
    });
    EXPECT_LE(*ladder.smallest_refused() - ladder.largest_granted(), Ladder::kGrain);
  }
}

TEST(Ladder, WithoutAStepThereIsNone) {
  EXPECT_THROW(Ladder({0, 4 * kMiB, kEndless}), std::logic_error);
  EXPECT_THROW(Ladder({4 * kMiB, 0, kEndless}), std::logic_error);
}

}  // namespace
}  // namespace sparkmpi::kernels::pressure
