#pragma once
// Copies from global to shared memory that go on while the thread does something else (cp.async, PTX ISA
// 9.7.9.25.3). A thread waits for its own copies only.

#include <cstdint>

namespace sparkmpi::kernels::inference::gpu {

__device__ inline std::uint32_t shared_address(const void* pointer) {
  return static_cast<std::uint32_t>(__cvta_generic_to_shared(pointer));
}
/// 16 bytes from global to shared memory past the first-level cache; zeros when not `valid`.
__device__ inline void copy_16(std::uint32_t to, const void* from, bool valid = true) {
  asm volatile("cp.async.cg.shared.global.L2::128B [%0], [%1], 16, %2;" ::"r"(to), "l"(from),
               "r"(valid ? 16 : 0)
               : "memory");
}
/// 4 or 8 bytes, which have no way past the first-level cache.
template <int kBytes>
__device__ inline void copy_few(std::uint32_t to, const void* from, bool valid = true) {
  static_assert(kBytes == 4 || kBytes == 8);
  asm volatile("cp.async.ca.shared.global.L2::128B [%0], [%1], %2, %3;" ::"r"(to), "l"(from), "n"(kBytes),
               "r"(valid ? kBytes : 0)
               : "memory");
}
__device__ inline void commit_copies() {
  asm volatile("cp.async.commit_group;" ::: "memory");
}
template <int kPending>
__device__ inline void wait_copies() {
  asm volatile("cp.async.wait_group %0;" ::"n"(kPending) : "memory");
}

}  // namespace sparkmpi::kernels::inference::gpu
