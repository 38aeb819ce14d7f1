// Beside this program lies a module of another build (module_of_another_build.cpp).

#include <gmock/gmock.h>

#include "base/error.hpp"
#include "kernels/device/cuda_module.hpp"

namespace sparkmpi::kernels {
namespace {

struct AnyInterface {
  static constexpr std::string_view kInterface = "stream";
};

TEST(CudaModule, OfAnotherBuildIsRefused) {
  const CudaModule cuda;
  EXPECT_TRUE(cuda.devices().empty());
  EXPECT_THAT(cuda.reason(), testing::EndsWith("libsparkmpi_cuda.so is of another build than this program"));
  EXPECT_EQ(cuda.find<AnyInterface>(), nullptr);
  EXPECT_THROW(cuda.memory(0), Error);
}

}  // namespace
}  // namespace sparkmpi::kernels
