#pragma once
// The inner loops of `stream` over one worker's slice, in one version for each instruction set.

#include <cstddef>

#include "kernels/host/cpu_features.hpp"

namespace sparkmpi::kernels::stream {

/// Loops over [0, count) of 64-byte aligned arrays. Stores of the `_stream` ones bypass the caches
/// (non-temporal), which saves the read that a normal store causes; on instruction sets without such stores
/// they are normal ones.
struct Loops {
  double (*read)(const double* a, std::size_t count);
  void (*write)(double* a, double s, std::size_t count);
  void (*copy)(double* c, const double* a, std::size_t count);
  void (*scale)(double* b, const double* c, double s, std::size_t count);
  void (*add)(double* c, const double* a, const double* b, std::size_t count);
  void (*triad)(double* a, const double* b, const double* c, double s, std::size_t count);
  double (*dot)(const double* a, const double* b, std::size_t count);
  bool non_temporal = false;
};

/// The loops for an instruction set that this machine supports; what has no version of its own gets the next
/// narrower one's.
/// @param bypass_caches asks for non-temporal stores.
Loops loops_for(host::Simd simd, bool bypass_caches);

Loops portable_loops();
Loops avx2_loops(bool bypass_caches);
Loops avx512_loops(bool bypass_caches);

}  // namespace sparkmpi::kernels::stream
