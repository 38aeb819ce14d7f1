#pragma once
// Definitions of format_products.cuh, for the one file that instantiates a format.

#include "kernels/inference/cuda/linear/format_products.cuh"

namespace sparkmpi::kernels::inference::gpu {

template <WeightFormat kFormat>
void FormatProducts<kFormat>::one(const DeviceMatrix& matrix, const ProductSite& site,
                                  const Arguments<StoreOutput>& arguments, const Launch& how) {
  launch<Experts::none>(matrix, site, arguments, how);
}
template <WeightFormat kFormat>
void FormatProducts<kFormat>::one(const DeviceMatrix& matrix, const ProductSite& site,
                                  const Arguments<ResidualOutput>& arguments, const Launch& how) {
  launch<Experts::none>(matrix, site, arguments, how);
}
template <WeightFormat kFormat>
void FormatProducts<kFormat>::one(const DeviceMatrix& matrix, const ProductSite& site,
                                  const Arguments<GatedOutput>& arguments, const Launch& how) {
  launch<Experts::none>(matrix, site, arguments, how);
}
template <WeightFormat kFormat>
void FormatProducts<kFormat>::one(const DeviceMatrix& matrix, const ProductSite& site,
                                  const Arguments<ArgMaxOutput>& arguments, const Launch& how) {
  launch<Experts::none>(matrix, site, arguments, how);
}
template <WeightFormat kFormat>
void FormatProducts<kFormat>::experts(const DeviceMatrix& matrix, const ProductSite& site,
                                      const Arguments<GatedOutput>& arguments, const Launch& how) {
  launch<Experts::one_input>(matrix, site, arguments, how);
}
template <WeightFormat kFormat>
void FormatProducts<kFormat>::experts(const DeviceMatrix& matrix, const ProductSite& site,
                                      const Arguments<ResidualOutput>& arguments, const Launch& how) {
  launch<Experts::own_input>(matrix, site, arguments, how);
}
template <WeightFormat kFormat>
void FormatProducts<kFormat>::grouped(const DeviceMatrix& matrix, const ProductSite& site,
                                      const GroupedArguments<GatedOutput>& arguments, const Launch& how) {
  launch_grouped(matrix, site, arguments, how);
}
template <WeightFormat kFormat>
void FormatProducts<kFormat>::grouped(const DeviceMatrix& matrix, const ProductSite& site,
                                      const GroupedArguments<PairOutput>& arguments, const Launch& how) {
  launch_grouped(matrix, site, arguments, how);
}

}  // namespace sparkmpi::kernels::inference::gpu
