#pragma once
// From a call to a launch of a product kernel: which one, how the columns are sliced, and how much shared
// memory that takes.

#include <string>

#include "base/error.hpp"
#include "kernels/inference/cuda/linear/product_device.hpp"
#include "kernels/inference/cuda/linear/ring_choice.hpp"
#include "kernels/inference/cuda/linear/ring_product_kernel.cuh"

namespace sparkmpi::kernels::inference::gpu {

struct Slicing {
  int slices = 0, units = 0;  ///< 0 slices: does not fit
  std::uint32_t vector_bytes = 0, shared_bytes = 0;
};
/// Bytes of shared memory that a block has statically, at most.
inline constexpr std::size_t kStaticShared = 128;

/// The fewest slices whose vectors fit into shared memory beside the ring.
inline Slicing slice_columns(WeightFormat format, Shape shape, int units, int vectors,
                             const DeviceLimits& limits) {
  const std::size_t fixed = std::size_t{ring_bytes(format, shape)} + sums_bytes(shape) + kStaticShared;
  for (int slices = 1; slices <= units; ++slices) {
    const int slice_units = (units + slices - 1) / slices;
    const std::uint32_t bytes = vector_bytes(format, slice_units);
    const std::size_t all = fixed + static_cast<std::size_t>(vectors) * bytes;
    if (all > limits.shared_of_block) continue;
    return {(units + slice_units - 1) / slice_units, slice_units, bytes,
            static_cast<std::uint32_t>(all - kStaticShared)};
  }
  return {};
}

/// The matrix's part of a geometry, all columns in one slice.
inline void fill(Geometry& geometry, const DeviceMatrix& matrix) {
  geometry.data = static_cast<const unsigned char*>(matrix.data);
  geometry.rows = matrix.rows;
  geometry.columns = matrix.columns;
  geometry.tiles = tile_count(matrix);
  geometry.units = units_of(matrix.format, matrix.columns);
  geometry.slices = 1;
  geometry.slice_units = geometry.units;
  geometry.order = matrix.order;
}

/// Whether kMostBlocks blocks fit a multiprocessor, all columns in one slice.
inline bool fits_several(const Slicing& slicing, const DeviceLimits& limits) {
  return slicing.slices == 1 && kMostBlocks * (slicing.shared_bytes + kStaticShared + kReservedShared) <=
                                    limits.shared_of_multiprocessor;
}

/// Where a product runs.
struct ProductSite {
  const DeviceLimits& limits;
  const Workspace& workspace;
  int most_active = 1;  ///< experts that may take part
  int experts = 1;      ///< whose matrices lie behind each other
};

template <WeightFormat kFormat, Shape kShape, Experts kExperts, class Output>
void launch_product(const DeviceMatrix& matrix, const Slicing& slicing, const ProductSite& site,
                    ProductArguments<Output> arguments, int blocks_each, const Launch& launch) {
  const int tiles = tile_count(matrix);
  const std::size_t groups = static_cast<std::size_t>(tiles) * site.most_active;
  const bool in_parts = slicing.slices > 1 || (kExperts == Experts::own_input && site.most_active > 1);
  if (slicing.slices == 0 ||
      (in_parts && (groups * slicing.slices > Workspace::kPartials || groups > Workspace::kArrivals))) {
    throw UsageError("product of a matrix of " + std::to_string(matrix.rows) + " rows and " +
                     std::to_string(matrix.columns) + " columns: more partial sums than the workspace holds");
  }
  fill(arguments.geometry, matrix);
  arguments.geometry.slices = slicing.slices;
  arguments.geometry.slice_units = slicing.units;
  arguments.row_scales = matrix.scales;
  arguments.vector_bytes = slicing.vector_bytes;
  arguments.partials = site.workspace.partials;
  arguments.arrivals = site.workspace.arrivals;

  const auto kernel = product_kernel<kFormat, kShape.teams, kShape.warps, kShape.stages, kExperts, Output>;
  gpu::launch(kernel, static_cast<unsigned>(site.limits.multiprocessors * blocks_each), kShape.threads(),
              slicing.shared_bytes, launch.stream, launch.programmatic && site.limits.overlap, "product",
              arguments);
}

/// False: no ring serves this product, and nothing was launched.
template <WeightFormat kFormat, Experts kExperts, class Output>
bool launch_ring(const DeviceMatrix& matrix, const ProductSite& site, ProductArguments<Output> arguments,
                 const Launch& launch) {
  const RingShape shape =
      choose_ring(matrix, input_rows<kExperts>(arguments), kExperts != Experts::none, site.limits);
  if (shape.stages == 0) return false;
  CUtensorMap map{};
  if constexpr (kFormat == WeightFormat::bf16) map = weight_map(matrix, site.experts);
  fill(arguments.geometry, matrix);
  arguments.row_scales = matrix.scales;
  arguments.vector_bytes = vector_bytes(kFormat, arguments.geometry.units);
  const auto kernel = ring_product_kernel<kFormat, kExperts, Output>;
  gpu::launch(kernel, static_cast<unsigned>(site.limits.multiprocessors * shape.blocks_each), kRingThreads,
              shape.shared_bytes, launch.stream, launch.programmatic && site.limits.overlap, "product",
              arguments, map, shape.stages, stages_under_way(kFormat, shape, site.limits),
              site.workspace.next_claims());
  return true;
}

}  // namespace sparkmpi::kernels::inference::gpu
