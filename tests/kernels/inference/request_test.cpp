#include "kernels/inference/request.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sparkmpi::kernels::inference {
namespace {

using testing::ElementsAre;

TEST(Requests, ReadsTrtllmBenchLines) {
  const auto requests = parse_requests(
      "{\"task_id\": 0, \"input_ids\": [1, 2, 3], \"output_tokens\": "
      "8}\n\n{\"input_ids\":[9],\"output_tokens\":1}",
      "f", {10, 100});
  ASSERT_EQ(requests.size(), 2U);
  EXPECT_THAT(requests[0].prompt, ElementsAre(1, 2, 3));
  EXPECT_EQ(requests[0].output_tokens, 8);
  EXPECT_EQ(requests[1].output_tokens, 1);
}

TEST(Requests, NamesFileAndLineOfEveryFault) {
  const std::string good = "{\"input_ids\":[1],\"output_tokens\":1}\n";
  for (const char* bad :
       {"{", "[]", "{\"output_tokens\":1}", "{\"prompt\":\"hi\",\"output_tokens\":1}",
        "{\"input_ids\":[],\"output_tokens\":1}", "{\"input_ids\":[10],\"output_tokens\":1}",
        "{\"input_ids\":[-1],\"output_tokens\":1}", "{\"input_ids\":[1.5],\"output_tokens\":1}",
        "{\"input_ids\":[1]}", "{\"input_ids\":[1],\"output_tokens\":0}",
        "{\"input_ids\":[1],\"output_tokens\":\"x\"}", "{\"input_ids\":[1],\"output_tokens\":100}",
        "{\"input_ids\":[99999999999],\"output_tokens\":1}"}) {
    try {
      parse_requests(good + bad, "set.jsonl", {10, 100});
      ADD_FAILURE() << bad;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), testing::StartsWith("set.jsonl:2: ")) << bad;
    }
  }
  EXPECT_THROW(parse_requests("\n \n", "f", {10, 100}), UsageError);
  EXPECT_THROW(read_requests("/no/such/file", {10, 100}), UsageError);
}

TEST(Requests, RandomOnesAreTheSameEverywhere) {
  const auto requests = random_requests(2, 4, 7, 1000, 1);
  EXPECT_THAT(requests[0].prompt, ElementsAre(528, 462, 930, 246));
  EXPECT_NE(requests[0].prompt, requests[1].prompt);
  EXPECT_EQ(requests[1].output_tokens, 7);
}

}  // namespace
}  // namespace sparkmpi::kernels::inference
