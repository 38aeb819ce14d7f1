#include "kernels/host/cpu_features.hpp"

#if defined(__aarch64__)
#include <asm/hwcap.h>
#include <sys/auxv.h>
#endif
#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace sparkmpi::kernels::host {
namespace {

#if defined(__x86_64__)
/// CPUID leaf 7, sub-leaf 1, EAX bit 5 (Intel SDM volume 2, CPUID): not every compiler's
/// __builtin_cpu_supports knows the name.
bool reports_avx512_bf16() {
  unsigned eax = 0, ebx = 0, ecx = 0, edx = 0;
  return __get_cpuid_count(7, 1, &eax, &ebx, &ecx, &edx) != 0 && ((eax >> 5U) & 1U) != 0;
}
#endif

}  // namespace

std::string_view to_string(Simd simd) {
  switch (simd) {
    case Simd::portable:
      return "portable";
    case Simd::avx2:
      return "avx2";
    case Simd::avx512:
      return "avx512";
    case Simd::avx512_bf16:
      return "avx512_bf16";
    case Simd::neon:
      return "neon";
    case Simd::sve:
      return "sve";
  }
  return "unknown";
}

// __builtin_cpu_supports also asks the operating system (XGETBV) whether it saves the wide registers.
bool supported(Simd simd) {
  switch (simd) {
    case Simd::portable:
      return true;
#if defined(__x86_64__)
    case Simd::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
             __builtin_cpu_supports("f16c");
    case Simd::avx512:
      return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
             __builtin_cpu_supports("avx512vl") && __builtin_cpu_supports("avx512dq");
    case Simd::avx512_bf16:
      return supported(Simd::avx512) && reports_avx512_bf16();
#elif defined(__aarch64__)
    case Simd::neon:
      return true;
    case Simd::sve:
      return (getauxval(AT_HWCAP) & HWCAP_SVE) != 0;
#endif
    default:
      return false;
  }
}

Simd best_simd() {
  for (const Simd simd : {Simd::sve, Simd::neon, Simd::avx512_bf16, Simd::avx512, Simd::avx2}) {
    if (supported(simd)) return simd;
  }
  return Simd::portable;
}

}  // namespace sparkmpi::kernels::host
