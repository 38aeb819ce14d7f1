#pragma once
// Ways of getting memory in blocks that add up.

#include <cstddef>
#include <memory>
#include <span>
#include <string_view>

#include "base/error.hpp"
#include "kernels/pressure/headroom.hpp"

namespace sparkmpi::kernels::pressure {

/// The allocator's own no: the call and errno's or CUDA's words for it.
class AllocationRefused : public Error {
 public:
  using Error::Error;
};

/// Memory that is given back when this goes.
class Block {
 public:
  virtual ~Block() = default;
  /// Writes every page of [offset, offset + bytes), so that it is really there. Throws AllocationRefused.
  virtual void touch(std::size_t offset, std::size_t bytes) = 0;
};

struct AllocatorInfo {
  std::string_view name;  ///< "malloc", "cuda_managed"
  std::string_view what;  ///< one line for a person
  Pool pool = Pool::host;
  bool may_leave_gpu = false;  ///< managed: what does not fit the GPU goes to the host
  /// Throws AllocationRefused.
  std::unique_ptr<Block> (*allocate)(std::size_t bytes) = nullptr;
};

/// The allocators every Linux host has.
std::span<const AllocatorInfo> host_allocators();

/// Writes one byte of each 4 KiB page. Here for both sides: the CUDA module is a library of its own.
inline void write_every_page(void* memory, std::size_t bytes) {
  constexpr std::size_t kPage = 4096;
  auto* const data = static_cast<volatile unsigned char*>(memory);
  for (std::size_t offset = 0; offset < bytes; offset += kPage) data[offset] = 1;
}

}  // namespace sparkmpi::kernels::pressure
