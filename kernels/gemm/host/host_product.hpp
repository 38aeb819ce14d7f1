#pragma once
// A matrix product in single precision on the host's cores, by OpenBLAS.

#include "kernels/gemm/product.hpp"
#include "kernels/host/buffer.hpp"
#include "kernels/host/thread_team.hpp"

namespace sparkmpi::kernels::gemm {

class HostProduct final : public Product {
 public:
  /// @param team each worker calls the library for its own rows of w; outlives the product.
  HostProduct(host::ThreadTeam& team, const Shape& shape);
  void run() override;
  timing::SampleClock* clock() override { return nullptr; }
  Evidence evidence() override;
  Attributes facts() const override;
  /// y, for tests that plant an error.
  float* result() const { return y_.as<float>().data(); }

 private:
  host::ThreadTeam& team_;
  Shape shape_;
  host::Buffer w_, x_, y_;
};

}  // namespace sparkmpi::kernels::gemm
