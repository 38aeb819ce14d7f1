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
  /// Holds as many bytes as the allocator is asked for and no more, since the kernel reads ahead; none of
  /// them are in the page cache. Empty when there is none.
  std::string file;
};

/// Used once: allocate, the touches it has, release. Steps throw Error with the reason that the system gave,
/// which starts with kNotSupported where this machine has no such memory.
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

/// The allocator that allocates nothing: its cells show what the ledgers do by themselves.
inline constexpr std::string_view kIdle = "idle";

inline constexpr std::string_view kNotSupported = "not supported";

enum class Needs : std::uint8_t { nothing, file, shared_memory, gpu };

struct AllocatorInfo {
  std::string_view name;  ///< as in docs/ledgers.md's table: "malloc", "file_read"
  std::string_view what;  ///< one line for a person
  Needs needs = Needs::nothing;
  std::unique_ptr<Allocator> (*make)(const Scratch& scratch) = nullptr;
};

/// Writes one byte of every page (of 4 KiB, the smallest there is) from this core.
void write_every_page(void* memory, std::size_t bytes);

/// The allocators every Linux host has.
std::span<const AllocatorInfo> host_allocators();

}  // namespace sparkmpi::kernels::charge
