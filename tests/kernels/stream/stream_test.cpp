#include <gtest/gtest.h>

#include "base/error.hpp"
#include "kernels/host/cpu_features.hpp"
#include "kernels/stream/host/arrays.hpp"
#include "kernels/stream/host/loops.hpp"
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
  EXPECT_THROW(kernel->check(parameters({{"footprint", std::int64_t{1} << 60}}), site_), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::stream
