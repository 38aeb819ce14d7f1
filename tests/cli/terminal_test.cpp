#include "cli/terminal.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <string>

namespace sparkmpi::cli {
namespace {

std::string wrapped(std::string_view text) {
  char* buffer = nullptr;
  std::size_t size = 0;
  std::FILE* const out = open_memstream(&buffer, &size);
  Terminal(out).print_wrapped(text, "- ", "  ");
  std::fclose(out);
  const std::string printed(buffer, size);
  std::free(buffer);
  return printed;
}

TEST(Terminal, BreaksAtEightyColumnsAndKeepsPercentSignsWithTheirNumbers) {
  const std::string text = wrapped(std::string(71, 'x') + " 95 % of all");
  EXPECT_EQ(text, "- " + std::string(71, 'x') + " 95 %\n  of all\n");
  EXPECT_EQ(wrapped(std::string(74, 'x') + " 95 % of all"),
            "- " + std::string(74, 'x') + "\n  95 % of all\n");
}

TEST(Terminal, IntoAFileThereIsNoColour) {
  std::FILE* const file = std::tmpfile();
  ASSERT_NE(file, nullptr);
  EXPECT_EQ(Terminal(file).toned("x", Tone::bad), "x");
  std::fclose(file);
}

TEST(Terminal, FitsByColumnsNotBytes) {
  EXPECT_EQ(fitted("±1 %", 6), "±1 %  ");
  EXPECT_EQ(fitted("abcdef", 4), "abc…");
  EXPECT_EQ(columns_of("±…"), 2U);
}

TEST(Terminal, NamesFromFilesDoNotSteerIt) {
  EXPECT_EQ(printable("a\x1b[31mb\n"), "a?[31mb?");
  EXPECT_EQ(wrapped("host\x1b[2J"), "- host?[2J\n");
}

}  // namespace
}  // namespace sparkmpi::cli
