#include "cli/text_table.hpp"

#include <gtest/gtest.h>

#include <cstdlib>
#include <functional>
#include <string>

namespace sparkmpi::cli {
namespace {

std::string printed(const std::function<void(const Terminal&)>& print) {
  char* buffer = nullptr;
  std::size_t size = 0;
  std::FILE* const out = open_memstream(&buffer, &size);
  print(Terminal(out));
  std::fclose(out);
  const std::string text(buffer, size);
  std::free(buffer);
  return text;
}

TEST(TextTable, TextAtTheLeftNumbersAtTheRight) {
  const std::string text = printed([](const Terminal& terminal) {
    const TextTable table(terminal, {{"metric", 9, true}, {"mean", 8}, {"verdict"}});
    table.print_header();
    table.print_row({"rate", "1 /s", "different"}, Tone::bad);
    table.print_row({"time", "±1 s"});
  });
  EXPECT_EQ(text,
            " metric      mean verdict\n"
            " rate        1 /s different\n"
            " time        ±1 s\n");
}

TEST(TextTable, WhatIsTooWideIsCutSoThatColumnsStayInPlace) {
  const std::string text = printed([](const Terminal& terminal) {
    const TextTable table(terminal, {{"metric", 6, true}, {"mean", 6}, {"verdict"}});
    table.print_row({"a_long_name", "123456789", "ok"});
    table.print_row({"a\x1b[2J", "1", "ok\n"});
  });
  EXPECT_EQ(text, " a_lo… 1234… ok\n a?[2J     1 ok?\n");
}

TEST(TextTable, TonesTakeNoColumns) {
  EXPECT_EQ(columns_of("\x1b[31mnote: \x1b[0m"), 6U);
}

}  // namespace
}  // namespace sparkmpi::cli
