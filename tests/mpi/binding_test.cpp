#include "mpi/binding.hpp"

#include <gtest/gtest.h>

#include <array>

#include "base/error.hpp"

namespace sparkmpi::mpi {
namespace {

TEST(FormatCpuList, RunsAndSingles) {
  EXPECT_EQ(format_cpu_list(std::array{0, 1, 2, 3, 8}), "0-3,8");
  EXPECT_EQ(format_cpu_list(std::array{5}), "5");
  EXPECT_EQ(format_cpu_list({}), "");
}

class ChooseDevice : public testing::Test {
 protected:
  std::string choice(const std::string& wanted, int local_rank, bool cuda_kernels = true) {
    std::vector<kernels::Device> gpus(2);
    for (int i = 0; i < 2; ++i) {
      gpus[static_cast<std::size_t>(i)].kind = kernels::DeviceKind::cuda;
      gpus[static_cast<std::size_t>(i)].id = "cuda:" + std::to_string(i);
    }
    if (!have_gpus_) gpus.clear();
    return choose_device({wanted, BindPolicy::divide, false, cuda_kernels}, gpus, {}, local_rank).id;
  }
  bool have_gpus_ = true;
};

TEST_F(ChooseDevice, RanksOfANodeTakeGpusInTurn) {
  EXPECT_EQ(choice("auto", 0), "cuda:0");
  EXPECT_EQ(choice("auto", 1), "cuda:1");
  EXPECT_EQ(choice("cuda", 2), "cuda:0");
  EXPECT_EQ(choice("cuda:1", 0), "cuda:1");
  EXPECT_EQ(choice("host", 1), "host");
  EXPECT_EQ(choice("auto", 1, false), "host");
}

TEST_F(ChooseDevice, WithoutGpusTheHostOrAClearRefusal) {
  have_gpus_ = false;
  EXPECT_EQ(choice("auto", 0), "host");
  EXPECT_THROW(choice("cuda", 0), UsageError);
  EXPECT_THROW(choice("cuda:0", 0), UsageError);
}

TEST_F(ChooseDevice, RefusesWhatIsNoDevice) {
  for (const char* wanted : {"", "gpu", "cuda:", "cuda:x", "cuda:-1", "cuda:2", "cuda:1x"})
    EXPECT_THROW(choice(wanted, 0), UsageError) << wanted;
}

}  // namespace
}  // namespace sparkmpi::mpi
