#pragma once
// The products of one weight format. Declared for products.cu and experts.cu, compiled in one translation
// unit a format.

#include "kernels/inference/cuda/linear/grouped_kernel.cuh"
#include "kernels/inference/cuda/linear/product_launch.cuh"

namespace sparkmpi::kernels::inference::gpu {

/// Shapes of product_kernel by measurement (tests/bench/gemv_bench.cu): of blocks that share a multiprocessor
/// with another, and of those that have it to themselves because their vectors need the shared memory.
constexpr Shape shared_shape(WeightFormat format) {
  switch (format) {
    case WeightFormat::bf16:
    case WeightFormat::int4_awq:
      return {1, 8, 4};
    case WeightFormat::fp8_e4m3:
      return {1, 8, 8};
    case WeightFormat::mxfp4:
      return {1, 8, 6};
  }
  return {1, 8, 4};
}
constexpr Shape alone_shape(WeightFormat format) {
  switch (format) {
    case WeightFormat::bf16:
      return {2, 8, 3};
    case WeightFormat::fp8_e4m3:
      return {2, 8, 5};
    case WeightFormat::int4_awq:
      return {2, 8, 4};
    case WeightFormat::mxfp4:
      return {2, 8, 4};
  }
  return {2, 8, 3};
}

template <WeightFormat kFormat>
struct FormatProducts {
  template <class Output>
  using Arguments = ProductArguments<Output>;

  static void one(const DeviceMatrix&, const ProductSite&, const Arguments<StoreOutput>&, const Launch&);
  static void one(const DeviceMatrix&, const ProductSite&, const Arguments<ResidualOutput>&, const Launch&);
  static void one(const DeviceMatrix&, const ProductSite&, const Arguments<GatedOutput>&, const Launch&);
  static void one(const DeviceMatrix&, const ProductSite&, const Arguments<ArgMaxOutput>&, const Launch&);
  static void experts(const DeviceMatrix&, const ProductSite&, const Arguments<GatedOutput>&, const Launch&);
  static void experts(const DeviceMatrix&, const ProductSite&, const Arguments<ResidualOutput>&,
                      const Launch&);
  static void grouped(const DeviceMatrix&, const ProductSite&, const GroupedArguments<GatedOutput>&,
                      const Launch&);
  static void grouped(const DeviceMatrix&, const ProductSite&, const GroupedArguments<PairOutput>&,
                      const Launch&);

 private:
  template <Experts kExperts, class Output>
  static void launch(const DeviceMatrix& matrix, const ProductSite& site, const Arguments<Output>& arguments,
                     const Launch& launch) {
    if (launch_ring<kFormat, kExperts>(matrix, site, arguments, launch)) return;
    constexpr Shape kShared = shared_shape(kFormat), kAlone = alone_shape(kFormat);
    const int units = units_of(kFormat, matrix.columns);
    const Slicing shared = slice_columns(kFormat, kShared, units, arguments.vectors, site.limits),
                  alone = slice_columns(kFormat, kAlone, units, arguments.vectors, site.limits);
    const bool several = fits_several(shared, site.limits);
    // The longer rings of a block alone leave less for the vectors: on devices with little shared memory too
    // little.
    if (several || alone.slices == 0 || alone.slices > 2 * shared.slices) {
      launch_product<kFormat, kShared, kExperts>(matrix, shared, site, arguments, several ? kMostBlocks : 1,
                                                 launch);
    } else {
      launch_product<kFormat, kAlone, kExperts>(matrix, alone, site, arguments, 1, launch);
    }
  }

  template <class Output>
  static void launch_grouped(const DeviceMatrix& matrix, const ProductSite& site,
                             GroupedArguments<Output> arguments, const Launch& launch) {
    fill(arguments.geometry, matrix);
    arguments.row_scales = matrix.scales;
    const dim3 grid(static_cast<unsigned>((arguments.geometry.tiles + kGroupWarps - 1) / kGroupWarps),
                    static_cast<unsigned>(arguments.pairs / kGroupPairs + arguments.experts));
    gpu::launch(grouped_kernel<kFormat, Output>, grid, kGroupWarps * 32, group_shared_bytes<kFormat>(),
                launch.stream, launch.programmatic && site.limits.overlap, "grouped product", arguments);
  }
};

}  // namespace sparkmpi::kernels::inference::gpu
