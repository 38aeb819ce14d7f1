#include <gtest/gtest.h>

#include "base/error.hpp"
#include "kernels/host/cpu_features.hpp"
#include "kernels/stream/host/arrays.hpp"
#include "kernels/stream/host/loops.hpp"
#include "kernels/stream/options.hpp"
#include "kernels/stream/pattern.hpp"
#include "kernels/stream/stream_kernel.hpp"

namespace sparkmpi::kernels::stream {
namespace {

TEST(Stream, EveryOperationIsRightOnEveryInstructionSetAndOddSizes) {
  host::ThreadTeam team({0, 0, 0});
  for (const host::Simd simd : {host::Simd::portable, host::Simd::avx2, host::Simd::avx512}) {
    if (!host::supported(simd)) continue;
    for (const bool bypass : {false, true}) {
      const Loops loops = loops_for(simd, bypass);
      for (const OperationInfo& operation : kOperations) {
        for (const std::size_t footprint : {16384U, 20000U, 100064U}) {
          Arrays arrays(team, operation, footprint);
          arrays.run(loops);
          arrays.run(loops);
          EXPECT_NO_THROW(arrays.verify())
              << operation.name << ' ' << footprint << ' ' << host::to_string(simd);
          EXPECT_EQ(arrays.bytes(), static_cast<double>(arrays.elements() * operation.bytes_per_element()));
          EXPECT_LE(arrays.bytes(), static_cast<double>(footprint));
        }
      }
    }
  }
}

TEST(Stream, WithoutARunNothingIsRight) {
  host::ThreadTeam team({0});
  for (const OperationInfo& operation : kOperations)
    EXPECT_THROW(Arrays(team, operation, 32768).verify(), Error) << operation.name;
}

TEST(Stream, AWrongElementIsFound) {
  host::ThreadTeam team({0});
  for (const OperationInfo& operation : kOperations) {
    if (operation.arrays_written == 0) continue;
    Arrays arrays(team, operation, 32768);
    arrays.run(portable_loops());
    double* const written =
        arrays.array(operation.operation == Operation::write || operation.operation == Operation::triad ? 0
                     : operation.operation == Operation::scale                                          ? 1
                                                                                                        : 2);
    ASSERT_NE(written, nullptr) << operation.name;
    written[arrays.elements() - 1] += 1;
    EXPECT_THROW(arrays.verify(), Error) << operation.name;
  }
}

/// Runs the kernel alone.
class StreamKernel : public testing::Test {
 protected:
  static Parameters parameters(Attributes changes = {}) {
    Attributes all = {{"footprint", std::int64_t{65536}}, {"operation", std::string("read,triad")},
                      {"repetitions", std::int64_t{7}},   {"max-time", 0.1},
                      {"threads", std::int64_t{0}},       {"stores", std::string("auto")},
                      {"memory", std::string("auto")},    {"cold", std::int64_t{0}}};
    for (auto& [name, value] : changes) all[name] = value;
    return Parameters(all);
  }
  const Placement placement_{{}, {0}, {0}};
  const CudaModule cuda_;
  const Site site_{placement_, cuda_};
};

TEST_F(StreamKernel, RecordsRawSamplesOfTheOperationsAskedFor) {
  ledger::LedgerSet ledgers;
  const Clock clock;
  Recorder recorder(info().metrics, ledgers, clock);
  SoloCommunicator world;
  const StopSignal stop;
  const Parameters chosen = parameters();
  Context context{chosen, site_, world, recorder, stop};
  info().make()->run(context);
  const results::KernelRecord record = std::move(recorder).take();
  ASSERT_EQ(record.series.size(), 2U);
  EXPECT_EQ(record.series[1].metric, "triad_bytes_per_s");
  EXPECT_EQ(record.series[1].values.size(), 7U);
  EXPECT_GT(record.series[0].values[0], 1e6);
  EXPECT_EQ(record.outcome.stop_reason, "count");
}

TEST_F(StreamKernel, RefusesWhatCannotWork) {
  const auto kernel = info().make();
  EXPECT_NO_THROW(kernel->check(parameters(), site_));
  EXPECT_THROW(kernel->check(parameters({{"operation", std::string("reed")}}), site_), UsageError);
  EXPECT_THROW(kernel->check(parameters({{"stores", std::string("wild")}}), site_), UsageError);
  EXPECT_THROW(kernel->check(parameters({{"threads", std::int64_t{2}}}), site_), UsageError);
  EXPECT_THROW(kernel->check(parameters({{"memory", std::string("pinned")}}), site_), UsageError);
  EXPECT_THROW(kernel->check(parameters({{"memory", std::string("pined")}}), site_), UsageError);
  EXPECT_THROW(kernel->check(parameters({{"footprint", std::int64_t{1} << 60}}), site_), UsageError);
}

TEST(Pattern, TheSumByPeriodsIsTheSumOfTheElements) {
  for (const Operation operation : {Operation::read, Operation::dot}) {
    for (const std::size_t elements : {8U, 1024U, 5000U}) {
      double sum = 0;
      for (std::size_t i = 0; i < elements; ++i) sum += expected(operation, i);
      EXPECT_EQ(expected_sum(operation, elements), sum) << elements;
    }
  }
}

constexpr std::uint64_t kGiB = std::uint64_t{1} << 30;

TEST(Room, WhatFitsDependsOnTheKindOfMemory) {
  const Room room = {MemoryModel::managed, 8 * kGiB, 4 * kGiB};
  EXPECT_NO_THROW(require_room(MemoryKind::device, 8 * kGiB, room));
  EXPECT_THROW(require_room(MemoryKind::device, 8 * kGiB + 1, room), UsageError);
  // A GPU that has to page managed memory can hang.
  EXPECT_THROW(require_room(MemoryKind::managed, 8 * kGiB, room), UsageError);
  EXPECT_NO_THROW(require_room(MemoryKind::managed, 7 * kGiB, room));
  EXPECT_NO_THROW(require_room(MemoryKind::pinned, 4 * kGiB, room));
  EXPECT_THROW(require_room(MemoryKind::pinned, 5 * kGiB, room), UsageError);
  EXPECT_THROW(require_room(MemoryKind::managed, 1, {MemoryModel::managed, 0, kGiB}), UsageError);
}

TEST(Room, AnIntegratedDeviceHasWhatTheHostHas) {
  const Room room = {MemoryModel::integrated, kGiB, 64 * kGiB};  // page cache keeps CUDA's free low
  EXPECT_NO_THROW(require_room(MemoryKind::device, 32 * kGiB, room));
  EXPECT_THROW(require_room(MemoryKind::device, 65 * kGiB, room), UsageError);
}

TEST(Room, SystemMemoryNeedsAGpuThatReachesIt) {
  for (const MemoryModel model : {MemoryModel::hmm, MemoryModel::coherent, MemoryModel::integrated})
    EXPECT_NO_THROW(require_room(MemoryKind::system, kGiB, {model, 8 * kGiB, 8 * kGiB}));
  for (const MemoryModel model : {MemoryModel::managed, MemoryModel::discrete_limited})
    EXPECT_THROW(require_room(MemoryKind::system, kGiB, {model, 8 * kGiB, 8 * kGiB}), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::stream
