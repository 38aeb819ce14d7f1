// What a person who waits for a study is told.

#include "launchers/study/progress.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <string>

#include "launchers/study/logged_process.hpp"

namespace sparkmpi::launchers::study {
namespace {

using testing::HasSubstr;
using testing::Not;

/// What `tell` writes to a Progress.
template <class Tell>
std::string written(bool live, const Tell& tell) {
  char* text = nullptr;
  std::size_t size = 0;
  std::FILE* const out = open_memstream(&text, &size);
  {
    Progress progress(out, live);
    tell(progress);
  }
  std::fclose(out);
  std::string copy(text, size);
  std::free(text);
  return copy;
}

TEST(Estimate, GoesByTheKindAndBeforeThatByAll) {
  Estimate estimate;
  EXPECT_EQ(estimate.of("native stream"), 0);
  estimate.add("native stream", 2);
  estimate.add("native stream", 4);
  EXPECT_EQ(estimate.of("native stream"), 3);
  EXPECT_EQ(estimate.of("podman stream"), 3);
  estimate.add("podman stream", 9);
  EXPECT_EQ(estimate.of("podman stream"), 9);
  EXPECT_EQ(estimate.of("chroot stream"), 5);
}

TEST(Progress, SaysHowLongAndUntilWhen) {
  EXPECT_EQ(duration_text(42), "42 s");
  EXPECT_EQ(duration_text(600), "10 min");
  EXPECT_EQ(duration_text(9000), "2.5 h");
  EXPECT_EQ(left_text(0, 0, 0), "the last one");
  EXPECT_EQ(left_text(3, 0, 0), "3 left");
  constexpr double kNow = 1.7e9;
  const auto clock = [](double at, const char* format) {
    const auto time = static_cast<std::time_t>(at);
    std::array<char, 32> text{};
    std::strftime(text.data(), text.size(), format, std::localtime(&time));
    return std::string(text.data());
  };
  EXPECT_EQ(left_text(3, 600, kNow), "3 left, about 10 min, until " + clock(kNow + 600, "%H:%M"));
  // Tomorrow or later has its day.
  EXPECT_EQ(left_text(900, 200000, kNow),
            "900 left, about 55.6 h, until " + clock(kNow + 200000, "%d %b %H:%M"));
  EXPECT_THAT(left_text(0, 5, kNow), HasSubstr("the last one, about 5 s"));
}

TEST(Progress, IsOneLineOnATerminalAndPlainLinesElsewhere) {
  const auto tell = [](Progress& progress) {
    progress.now("[1/2] running");
    progress.step("[1/2] done");
    progress.keep("[2/2] failed");
  };
  EXPECT_EQ(written(false, tell), "[1/2] done\n[2/2] failed\n");
  const std::string live = written(true, tell);
  EXPECT_THAT(live, HasSubstr("\r[1/2] running\x1b[K\r[1/2] done"));
  EXPECT_THAT(live, HasSubstr("\r\x1b[K[2/2] failed\n"));
  // The line is gone when nothing moves any more.
  EXPECT_TRUE(written(true, [](Progress& progress) { progress.now("[1/2] running"); }).ends_with("\r\x1b[K"));
}

TEST(Progress, ALineNeverWraps) {
  EXPECT_EQ(cut_to("short", 5), "short");
  EXPECT_EQ(cut_to("longer", 5), "long…");
  EXPECT_EQ(cut_to("80 °C höher", 6), "80 °C…");
  const std::string live = written(true, [](Progress& progress) { progress.now(std::string(200, 'x')); });
  EXPECT_THAT(live, Not(HasSubstr(std::string(80, 'x'))));
}

TEST(TellingLine, IsTheErrorAndNotTheLaunchersFrame) {
  EXPECT_EQ(telling_line("-----\nPrimary job terminated\nError: runc: no\n-----\n", "?"), "Error: runc: no");
  EXPECT_EQ(telling_line("-----\n\nmpirun was unable to launch\n", "?"), "mpirun was unable to launch");
  EXPECT_EQ(telling_line("----\n", "exit status 7"), "exit status 7");
  EXPECT_EQ(telling_line("", "exit status 7"), "exit status 7");
}

}  // namespace
}  // namespace sparkmpi::launchers::study
