#include "base/shell_words.hpp"

#include <gtest/gtest.h>

#include "base/command.hpp"
#include "base/error.hpp"

namespace sparkmpi {
namespace {

using Words = std::vector<std::string>;

TEST(ShellWords, QuotesAsAShellReadsThem) {
  EXPECT_EQ(shell_words("  a  'b c' \"d'e\" f\\ g ''  "), (Words{"a", "b c", "d'e", "f g", ""}));
  EXPECT_EQ(shell_words(R"("a\"b" "a\n" 'a\' x'y'z)"), (Words{"a\"b", "a\\n", "a\\", "xyz"}));
  EXPECT_EQ(shell_words("$(touch x);y"), (Words{"$(touch", "x);y"}));
  EXPECT_TRUE(shell_words(" \t").empty());
  EXPECT_THROW(shell_words("a 'b"), UsageError);
  EXPECT_THROW(shell_words("a\\"), UsageError);
}

TEST(ShellWords, IsTheInverseOfShellText) {
  const Words words = {"a", "", "b c", "it's", "\"q\"", "$x;`y`", "back\\slash", "a\tb"};
  EXPECT_EQ(shell_words(shell_text(words)), words);
}

}  // namespace
}  // namespace sparkmpi
