#include "kernels/device/cuda_module.hpp"

#include <gtest/gtest.h>

#include "base/error.hpp"

namespace sparkmpi::kernels {
namespace {

TEST(MemoryModel, FollowsTheAttributes) {
  EXPECT_EQ(memory_model({true, true, true, true}), MemoryModel::integrated);
  EXPECT_EQ(memory_model({false, true, true, true}), MemoryModel::coherent);
  EXPECT_EQ(memory_model({false, true, false, true}), MemoryModel::hmm);
  EXPECT_EQ(memory_model({false, false, false, true}), MemoryModel::managed);
  EXPECT_EQ(memory_model({false, false, false, false}), MemoryModel::discrete_limited);
}

TEST(CudaModule, HasDevicesOrOneLineThatSaysWhyNot) {
  const CudaModule cuda;
  EXPECT_EQ(cuda.devices().empty(), !cuda.reason().empty());
  EXPECT_EQ(cuda.reason().find('\n'), std::string::npos);
  for (const Device& device : cuda.devices()) {
    EXPECT_TRUE(device.uuid.starts_with("GPU-")) << device.uuid;
    const CudaModule::Memory memory = cuda.memory(device.ordinal);
    EXPECT_GT(memory.total, 0U);
    EXPECT_LE(memory.free, memory.total);
  }
  EXPECT_THROW(cuda.memory(static_cast<int>(cuda.devices().size())), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels
