#include "base/value_list.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sparkmpi {
namespace {

using testing::ElementsAre;

TEST(IntegerList, ListsAndRanges) {
  EXPECT_THAT(parse_integer_list("512,2048", "-p"), ElementsAre(512, 2048));
  EXPECT_THAT(parse_integer_list("512-4096*2", "-p"), ElementsAre(512, 1024, 2048, 4096));
  EXPECT_THAT(parse_integer_list("1-8+3,20", "-b"), ElementsAre(1, 4, 7, 20));
  EXPECT_THAT(parse_integer_list("3-5", "-b"), ElementsAre(3, 4, 5));
}

TEST(IntegerList, BytesInEveryPlace) {
  EXPECT_THAT(parse_integer_list("1M-4M*2,1K", "--footprint", true),
              ElementsAre(1 << 20, 2 << 20, 4 << 20, 1024));
}

TEST(IntegerList, RefusesSenselessRanges) {
  for (const char* text :
       {"", ",", "1,", "8-1", "1-8*1", "0-8*2", "1-8+0", "1-", "a", "1..8", "1-100000", "1.5"})
    EXPECT_THROW(parse_integer_list(text, "-p"), UsageError) << text;
}

}  // namespace
}  // namespace sparkmpi
