#include "base/bytes.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sparkmpi {
namespace {

TEST(ParseBytes, TakesSuffixesOf1024) {
  EXPECT_EQ(parse_bytes("4096", "x"), 4096U);
  EXPECT_EQ(parse_bytes("512M", "x"), 512ULL << 20);
  EXPECT_EQ(parse_bytes("1.5GiB", "x"), 3ULL << 29);
  EXPECT_EQ(parse_bytes("64kb", "x"), 65536U);
  EXPECT_EQ(parse_bytes("2T", "x"), 2ULL << 40);
}

TEST(ParseBytes, RefusesWhatIsNoSizeAndNamesTheOption) {
  for (const char* text :
       {"", "G", "-1", "1Q", "12 M B", "nan", "inf", "9223372036854775808", "1e400", "0x10"}) {
    try {
      parse_bytes(text, "--footprint");
      ADD_FAILURE() << "accepted '" << text << "'";
    } catch (const UsageError& error) {
      EXPECT_NE(std::string(error.what()).find("--footprint"), std::string::npos) << error.what();
    }
  }
}

TEST(FormatBytes, PicksTheLargestUnitThatLeavesOne) {
  EXPECT_EQ(format_bytes(17), "17 B");
  EXPECT_EQ(format_bytes(512 * 1024), "512 KiB");
  EXPECT_EQ(format_bytes(1.5 * (1 << 30)), "1.50 GiB");
}

}  // namespace
}  // namespace sparkmpi
