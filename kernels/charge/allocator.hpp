#pragma once
// One way of getting memory, taken through its life so that ledgers can be read between the steps.

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace sparkmpi::kernels::charge {

/// The steps of a cell, in order. `exit` is the end of the child process: what is still charged then stays
/// behind.
enum class Step : std::uint8_t { allocate, touch_cpu, touch_gpu, release, exit };
std::string_view to_string(Step step);
inline constexpr Step kSteps[] = {Step::allocate, Step::touch_cpu, Step::touch_gpu, Step::release,
                                  Step::exit};

/// Where allocators that need a file find one.
struct Scratch {
  std::string
      file;  ///< holds at least as many bytes as any allocator is asked for, none of them in the page cache
};

/// Used once: allocate, the touches it has, release. Steps throw Error with the reason that the system gave.
class Allocator {
 public:
  virtual ~Allocator() = default;
  virtual void allocate(std::size_t bytes) = 0;
  /// Writes (or, for files, reads) every page from a core. False when this allocator has no such step.
  virtual bool touch_cpu() { return false; }
  /// Writes every page from the GPU. False when this allocator has no such step.
  virtual bool touch_gpu() { return false; }
  virtual void release() = 0;
};

struct AllocatorInfo {
  std::string_view name;  ///< as in docs/ledgers.md's table: "malloc", "file_read"
  std::string_view what;  ///< one line for a person
  bool needs_gpu = false;
  std::unique_ptr<Allocator> (*make)(const Scratch& scratch) = nullptr;
};

/// The allocators every Linux host has.
std::span<const AllocatorInfo> host_allocators();

}  // namespace sparkmpi::kernels::charge
