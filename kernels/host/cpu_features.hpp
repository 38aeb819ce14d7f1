#pragma once
// Which instruction set the host kernels use, chosen at run time.

#include <cstdint>
#include <string_view>

namespace sparkmpi::kernels::host {

/// In rising order of preference on its architecture. `portable` is plain C++ and works everywhere.
enum class Simd : std::uint8_t { portable, avx2, avx512, avx512_bf16, neon, sve };
std::string_view to_string(Simd simd);

/// The best one this processor and operating system support and this binary was built with.
Simd best_simd();

/// Whether this processor can run it, so that tests can try each.
bool supported(Simd simd);

}  // namespace sparkmpi::kernels::host
