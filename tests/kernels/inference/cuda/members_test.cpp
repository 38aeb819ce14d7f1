// What members of a group do on their GPUs, with two or more members side by side on one: each has its own
// stream, boxes and residual stream. Skipped without a GPU.

#include <gmock/gmock.h>

#include "kernels/inference/cuda/device.hpp"
#include "kernels/inference/cuda/members/member_layers.hpp"
#include "kernels/inference/cuda/members/peer_kernels.hpp"
#include "tests/kernels/inference/cuda/device_data.hpp"

namespace sparkmpi::kernels::inference::gpu {
namespace {

using MembersTest = GpuTest;

/// A member's side of the exchange.
struct Member {
  explicit Member(std::size_t words)
      : boxes(std::vector<std::uint64_t>(words)),
        numbers(std::vector<std::uint32_t>(kMostExchangeBlocks, 1)) {}
  Stream stream;
  DeviceArray<std::uint64_t> boxes;
  DeviceArray<std::uint32_t> numbers;
  PeerBoxes peers;
};

std::vector<std::unique_ptr<Member>> members_of(int count, std::size_t capacity, const std::uint32_t* abort) {
  std::vector<std::unique_ptr<Member>> members;
  for (int i = 0; i < count; ++i) members.push_back(std::make_unique<Member>(2 * wide(count) * capacity));
  for (int i = 0; i < count; ++i) {
    PeerBoxes& peers = members[wide(i)]->peers;
    for (int other = 0; other < count; ++other) peers.boxes[other] = members[wide(other)]->boxes.data();
    peers.capacity = capacity;
    peers.rank = i;
    peers.members = count;
    peers.numbers = members[wide(i)]->numbers.data();
    peers.abort = abort;
  }
  return members;
}

TEST_F(MembersTest, ExchangesAddUpInTheOrderOfRanksTimeAfterTime) {
  const PinnedMemory abort(sizeof(std::uint32_t), "a test");
  *abort.as<std::uint32_t>() = 0;
  for (const int count : {2, 3, 8}) {
    const std::size_t capacity = 100'000;
    const auto members = members_of(count, capacity, abort.as<std::uint32_t>());
    // On one GPU the blocks of all members have to have room at once: many values only where they are few.
    for (const int values : {1, 300, 4096, 17, count == 2 ? 100'000 : 4096, 2}) {
      std::vector<std::vector<float>> given;
      std::vector<std::unique_ptr<DeviceArray<float>>> arrays;
      for (int i = 0; i < count; ++i) {
        given.push_back(uniforms(random, wide(values), -1, 1));
        arrays.push_back(std::make_unique<DeviceArray<float>>(given.back()));
      }
      for (int i = 0; i < count; ++i)
        exchange_and_store(members[wide(i)]->peers, arrays[wide(i)]->data(), values,
                           {members[wide(i)]->stream, true});
      for (const auto& member : members) member->stream.wait("an exchange");
      std::vector<float> expected = given.front();
      for (int i = 1; i < count; ++i) {
        for (std::size_t k = 0; k < expected.size(); ++k) expected[k] += given[wide(i)][k];
      }
      for (int i = 0; i < count; ++i)
        ASSERT_EQ(arrays[wide(i)]->read(), expected) << "member " << i << " of " << count << ", " << values;
    }
  }
}

TEST_F(MembersTest, BothWaysOfAddingGiveTheResidualItsNormAndZeroParts) {
  const PinnedMemory abort(sizeof(std::uint32_t), "a test");
  *abort.as<std::uint32_t>() = 0;
  for (const int hidden : {48, 256, 2880}) {
    const int tokens = 3;
    const std::size_t values = wide(tokens) * wide(hidden);
    const auto members = members_of(2, values, abort.as<std::uint32_t>());
    const std::vector<float> residual = uniforms(random, values, -1, 1),
                             norm = uniforms(random, wide(hidden), 0, 2);
    const std::vector<float> part[2] = {uniforms(random, values, -1, 1), uniforms(random, values, -1, 1)};
    std::vector<float> sums = part[0];
    for (std::size_t i = 0; i < values; ++i) sums[i] += part[1][i];
    const DeviceArray<float> device_norm(norm);
    struct Outputs {
      explicit Outputs(const std::vector<float>& start, int rows, int width)
          : residual(start), squares(wide(rows) * wide(square_count(width))), next(start.size()) {}
      DeviceArray<float> residual, squares;
      DeviceArray<Bf16> next;
    };
    const Outputs exchanged[2] = {Outputs(residual, tokens, hidden), Outputs(residual, tokens, hidden)};
    const Outputs added(residual, tokens, hidden);
    const auto output = [&](const Outputs& to) {
      return ResidualOutput{to.residual.data(), hidden,         nullptr,
                            device_norm.data(), to.next.data(), to.squares.data()};
    };
    const DeviceArray<float> first(part[0]), second(part[1]), both(sums);
    for (int i = 0; i < 2; ++i)
      exchange_and_add(members[wide(i)]->peers, (i == 0 ? first : second).data(), tokens, hidden,
                       output(exchanged[i]), {members[wide(i)]->stream, false});
    add_sums(both.data(), tokens, hidden, output(added), {nullptr, false});
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    const std::vector<float> result = added.residual.read(), squares = added.squares.read();
    const std::vector<Bf16> next = added.next.read();
    for (std::size_t i = 0; i < values; ++i) {
      ASSERT_EQ(result[i], residual[i] + sums[i]);
      ASSERT_EQ(next[i], inference::to_bf16(result[i] * norm[i % wide(hidden)]));
    }
    for (int tile = 0; tile < tokens * square_count(hidden); ++tile) {
      double expected = 0;
      for (int k = 0; k < 16; ++k) expected += std::pow(static_cast<double>(result[wide(tile * 16 + k)]), 2);
      ASSERT_NEAR(squares[wide(tile)], expected, 1e-5);
    }
    // Without a norm, as for many tokens.
    const DeviceArray<float> again[2] = {DeviceArray<float>(part[0]), DeviceArray<float>(part[1])},
                             plain[2] = {DeviceArray<float>(residual), DeviceArray<float>(residual)};
    for (int i = 0; i < 2; ++i)
      exchange_and_add(members[wide(i)]->peers, again[i].data(), tokens, hidden,
                       {plain[i].data(), hidden, nullptr, nullptr, nullptr, nullptr},
                       {members[wide(i)]->stream, false});
    ASSERT_EQ(cudaDeviceSynchronize(), cudaSuccess);
    for (int i = 0; i < 2; ++i) {
      EXPECT_EQ(plain[i].read(), result);
      EXPECT_THAT(again[i].read(), testing::Each(0.0F));
    }
    for (const Outputs& one : exchanged) {
      EXPECT_EQ(one.residual.read(), result);
      EXPECT_EQ(one.squares.read(), squares);
      EXPECT_EQ(one.next.read(), next);
    }
    for (const DeviceArray<float>* const array : {&first, &second, &both})
      EXPECT_THAT(array->read(), testing::Each(0.0F));
  }
}

TEST_F(MembersTest, WhoWaitsInVainEndsWhenTold) {
  const PinnedMemory abort(sizeof(std::uint32_t), "a test");
  auto* const word = abort.as<std::uint32_t>();
  *word = 0;
  const auto members = members_of(2, 16, word);
  const DeviceArray<float> values(std::vector<float>(16, 1.0F));
  exchange_and_store(members[0]->peers, values.data(), 16, {members[0]->stream, false});
  EXPECT_EQ(cudaStreamQuery(members[0]->stream), cudaErrorNotReady) << "the other member never sent";
  *static_cast<volatile std::uint32_t*>(word) = 1;
  members[0]->stream.wait("an exchange that was given up");
}

TEST_F(MembersTest, TheGreatestLogitOfAllMembersWinsAndTiesGoToTheLowestId) {
  const int slices = 4, rows = 100, count = 3;
  std::vector<std::vector<float>> logits(count, std::vector<float>(wide(slices * rows), -5));
  const std::vector<std::vector<std::int32_t>> best = {{7, 1, 99, 0}, {3, 2, 5, 0}, {9, 9, 9, 0}};
  const float value[count][slices] = {{2, 1, -1, 0}, {3, 1, -1, 0}, {1, 4, -2, 0}};
  std::vector<float> sum(wide(2 * count * slices));
  for (int member = 0; member < count; ++member) {
    for (int slice = 0; slice < slices; ++slice)
      logits[wide(member)][wide(slice * rows + best[wide(member)][wide(slice)])] = value[member][slice];
    const DeviceArray<float> device_logits(logits[wide(member)]);
    const DeviceArray<std::int32_t> device_best(best[wide(member)]);
    const DeviceArray<float> slots(sum.size());
    offer_best(device_best.data(), device_logits.data(), rows, slices, {member, count, member * rows},
               reinterpret_cast<float2*>(slots.data()), {nullptr, false});
    const std::vector<float> offered = slots.read();
    for (std::size_t i = 0; i < sum.size(); ++i) sum[i] += offered[i];
  }
  const DeviceArray<float> slots(sum);
  const DeviceArray<std::int32_t> next(slices);
  choose_best(reinterpret_cast<const float2*>(slots.data()), count, slices, next.data(), {nullptr, false});
  EXPECT_THAT(next.read(), testing::ElementsAre(103, 209, 99, 0));
}

}  // namespace
}  // namespace sparkmpi::kernels::inference::gpu
