#include "cli/run_command.hpp"

#include <gtest/gtest.h>

#include <set>
#include <string>

#include "base/error.hpp"

namespace sparkmpi::cli {
namespace {

TEST(ParseRun, WithoutAKernelTheDefaultSuite) {
  const RunRequest request = parse_run({});
  EXPECT_EQ(request.plan.front().point.kernel, "stream");
  EXPECT_EQ(request.plan.back().point.kernel, "inference");
  EXPECT_EQ(request.options.output.extension(), ".h5");
}

TEST(ParseRun, TheSuiteIsTheGpusOnAGpuAndTheHostsWhereTheHostIsAskedFor) {
  constexpr std::uint64_t kH100 = std::uint64_t{79} << 30U;
  const auto models = [](const RunRequest& request) {
    std::set<std::string> names;
    for (const kernels::PlannedPoint& planned : request.plan) {
      const auto model = planned.point.parameters.find("model");
      if (model != planned.point.parameters.end()) names.insert(to_string(model->second));
    }
    return names;
  };
  EXPECT_EQ(models(parse_run({}, kH100)), std::set<std::string>{"Meta-Llama-3-8B"});
  EXPECT_EQ(models(parse_run({}, std::uint64_t{12} << 30U)), std::set<std::string>{"Qwen2-1.5B"});
  EXPECT_EQ(models(parse_run({"--device", "host"}, kH100)), std::set<std::string>{"SmolLM2-135M"});
}

TEST(ParseRun, OptionsReachTheSuiteToo) {
  const RunRequest request = parse_run({"-b", "2", "--sample-rate", "5", "-o", "x.h5", "--force"});
  EXPECT_EQ(std::get<std::int64_t>(request.plan.back().point.parameters.at("concurrency")), 2);
  EXPECT_EQ(request.options.sample_rate_hz, 5);
  EXPECT_EQ(request.options.output, "x.h5");
  EXPECT_TRUE(request.options.force);
}

TEST(ParseRun, SeveralKernelsInTheOrderNamed) {
  const RunRequest request = parse_run({"inference", "stream", "-r", "2", "--footprint", "1M"});
  ASSERT_EQ(request.plan.size(), 2U);
  EXPECT_EQ(request.plan[0].point.kernel, "inference");
  EXPECT_EQ(std::get<std::int64_t>(request.plan[1].point.parameters.at("repetitions")), 2);
}

TEST(ParseRun, LlamaBenchsShortForms) {
  const RunRequest request =
      parse_run({"inference", "-m", "SmolLM2-135M", "-p512", "-n", "16", "--save-tokens"});
  EXPECT_EQ(std::get<std::int64_t>(request.plan[0].point.parameters.at("n-prompt")), 512);
  EXPECT_EQ(std::get<std::int64_t>(request.plan[0].point.parameters.at("save-tokens")), 1);
}

TEST(ParseRun, LabelsAreFactsOfTheirOwn) {
  const RunRequest request = parse_run({"stream", "--label", "study=a=b; c", "--label", "block=3"});
  EXPECT_EQ(std::get<std::string>(request.labels.at("study")), "a=b; c");
  EXPECT_EQ(std::get<std::int64_t>(request.labels.at("block")), 3);
  for (const char* const bad : {"study", "=x", "Study=x", "a b=x", "ranks=9"})
    EXPECT_THROW(parse_run({"stream", "--label", bad}), UsageError) << bad;
  EXPECT_THROW(parse_run({"stream", "--label", "a=1", "--label", "a=2"}), UsageError);
}

TEST(ParseRun, Mistakes) {
  const std::vector<std::vector<std::string>> mistakes = {
      {"infrence"},           {"stream", "--footprnt", "1M"}, {"stream", "-p", "1"}, {"stream", "-o"},
      {"--sample-rate", "x"}, {"--sample-rate", "-1"},        {"--bind", "socket"},  {"-o", "a.h5", "stream"},
      {"--watchdog", "-1"},   {"stream", "--force=3"},        {"-o", "a", "-o", "b"}};
  for (const auto& arguments : mistakes) EXPECT_THROW(parse_run(arguments), UsageError) << arguments.front();
}

TEST(ParseRun, HelpIsNotARun) {
  EXPECT_NE(parse_run({"inference", "--help"}).help.find("--n-prompt"), std::string::npos);
  EXPECT_EQ(parse_run({"stream", "--help"}).help.find("--n-prompt"), std::string::npos);
}

}  // namespace
}  // namespace sparkmpi::cli
