// Needs a GPU; without one each test says so and is skipped.

#include <gtest/gtest.h>

#include <algorithm>

#include "base/error.hpp"
#include "kernels/stream/device_arrays.hpp"
#include "kernels/stream/options.hpp"
#include "kernels/stream/pattern.hpp"
#include "kernels/stream/read_bandwidth.hpp"
#include "kernels/stream/stream_kernel.hpp"
#include "kernels/timing/sample_loop.hpp"

namespace sparkmpi::kernels::stream {
namespace {

class GpuStream : public testing::Test {
 protected:
  void SetUp() override {
    if (cuda_.devices().empty()) GTEST_SKIP() << cuda_.reason();
    module_ = cuda_.find<CudaStream>();
    ASSERT_NE(module_, nullptr);
  }
  std::unique_ptr<DeviceArrays> arrays(const OperationInfo& operation, std::size_t footprint,
                                       MemoryKind kind = MemoryKind::device, int passes = 0) const {
    return module_->make(0, operation, footprint, kind, passes);
  }
  const CudaModule cuda_;
  const CudaStream* module_ = nullptr;
};

TEST_F(GpuStream, EveryOperationIsRightInEveryMemoryAndOddSizes) {
  for (const MemoryKind kind :
       {MemoryKind::device, MemoryKind::managed, MemoryKind::pinned, MemoryKind::system}) {
    const MemoryModel model = cuda_.devices().front().memory_model;
    const bool pageable =
        model == MemoryModel::hmm || model == MemoryModel::coherent || model == MemoryModel::integrated;
    if (kind == MemoryKind::system && !pageable) continue;
    for (const OperationInfo& operation : kOperations) {
      for (const std::size_t footprint : {16384U, 100064U, 30000000U}) {
        for (const int passes : {1, 3}) {
          const auto made = arrays(operation, footprint, kind, passes);
          made->run();
          made->run();
          EXPECT_NO_THROW(made->verify()) << operation.name << ' ' << footprint << ' ' << to_string(kind);
          EXPECT_EQ(made->bytes(), static_cast<double>(passes) *
                                       static_cast<double>(made->elements() * operation.bytes_per_element()));
        }
      }
    }
  }
}

TEST_F(GpuStream, AWrongElementIsFound) {
  for (const OperationInfo& operation : kOperations) {
    const auto made = arrays(operation, 1000000);
    const int written = written_array(operation.operation);
    if (written >= 0) {
      made->run();
      made->set_element(written, made->elements() - 1, -1);
    } else {
      made->set_element(kA, made->elements() / 2, -1);
      made->run();
    }
    EXPECT_THROW(made->verify(), Error) << operation.name;
  }
}

TEST_F(GpuStream, WithoutARunNothingIsRight) {
  for (const OperationInfo& operation : kOperations)
    EXPECT_THROW(arrays(operation, 1000000)->verify(), Error) << operation.name;
}

TEST_F(GpuStream, ColdReadsComeFromMemory) {
  const std::size_t bytes = module_->l2_bytes(0) / 4;
  const auto made = arrays(kOperations.front(), bytes, MemoryKind::device, 1);
  timing::SampleOptions options;
  options.clock = &made->clock();
  SoloCommunicator world;
  const StopSignal stop;
  const auto median = [&] {
    timing::SampleCount rule(21);
    timing::Samples samples = timing::take_samples([&] { made->run(); }, rule, options, world, stop);
    std::ranges::sort(samples.seconds);
    return samples.seconds[samples.seconds.size() / 2];
  };
  const double hot = median();
  options.make_cold = [&] { made->flush_cache(); };
  EXPECT_GT(median(), hot);
  EXPECT_NO_THROW(made->verify());
}

TEST_F(GpuStream, TheClockCountsTheDevicesTimeAndNotTheHosts) {
  const auto made = arrays(kOperations.front(), std::size_t{1} << 30, MemoryKind::device, 1);
  const auto read = [&] { made->run(); };
  made->clock().time(read, 1);
  const double one = made->clock().time(read, 1);
  EXPECT_GT(made->clock().time(read, 8), 4 * one);
  // Nothing queued: what stays is the resolution of the events.
  EXPECT_LT(made->clock().time([] {}, 1), one);
}

TEST_F(GpuStream, AnOperationThatWaitsForTheDeviceDoesNotHang) {
  const auto made = arrays(kOperations.front(), 1000000);
  for (int i = 0; i < 3; ++i) {
    const double seconds = made->clock().time(
        [&] {
          made->run();
          made->verify();  // waits, behind the blocking start
        },
        1);
    EXPECT_LT(seconds, 0.5);
  }
}

TEST_F(GpuStream, ReadBandwidthIsMeasuredAndTheMemoryGivenBack) {
  const Device& gpu = cuda_.devices().front();
  EXPECT_GT(measure_read_bandwidth(cuda_, gpu, std::size_t{64} << 20, 0.01), 1e9);
  EXPECT_THROW(measure_read_bandwidth(cuda_, gpu, std::size_t{1} << 50, 0.01), Error);
}

TEST_F(GpuStream, OptionsOfTheHostAreRefused) {
  const Placement placement{cuda_.devices().front(), {0}, {0}};
  const Site site{placement, cuda_};
  const auto with = [](Attributes changes) {
    Attributes all = {{"footprint", std::int64_t{1} << 20}, {"operation", std::string("all")},
                      {"repetitions", std::int64_t{1}},     {"max-time", 0.1},
                      {"threads", std::int64_t{0}},         {"stores", std::string("auto")},
                      {"memory", std::string("auto")},      {"cold", std::int64_t{0}}};
    for (auto& [name, value] : changes) all[name] = value;
    return Parameters(all);
  };
  const auto kernel = info().make();
  EXPECT_NO_THROW(kernel->check(with({}), site));
  EXPECT_THROW(kernel->check(with({{"threads", std::int64_t{4}}}), site), UsageError);
  EXPECT_THROW(kernel->check(with({{"stores", std::string("regular")}}), site), UsageError);
  EXPECT_THROW(kernel->check(with({{"footprint", std::int64_t{1} << 50}}), site), UsageError);
}

}  // namespace
}  // namespace sparkmpi::kernels::stream
