#include "ledger/nvml.hpp"

#include <gtest/gtest.h>

namespace sparkmpi::ledger {
namespace {

TEST(Nvml, WithoutTheLibraryItSaysWhyAndNothingElseHappens) {
  const Nvml nvml("libno-such-nvml.so.1");
  EXPECT_FALSE(nvml.available());
  EXPECT_NE(nvml.reason().find("libno-such-nvml.so.1"), std::string::npos) << nvml.reason();
  EXPECT_EQ(nvml.reason().find('\n'), std::string::npos);
}

}  // namespace
}  // namespace sparkmpi::ledger
