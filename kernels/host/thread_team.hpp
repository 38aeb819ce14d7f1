#pragma once
// A fixed team of pinned threads for the host device: one worker for each core of the placement, the caller
// being worker 0.

#include <memory>
#include <type_traits>
#include <vector>

namespace sparkmpi::kernels::host {

/// Entering a parallel region and a barrier inside it cost about a microsecond while every worker has a core
/// of its own: workers spin for a short while and then sleep, so oversubscribed ranks don't burn each other's
/// cores.
///
/// Example:
///   ThreadTeam team(placement.cpus);
///   team.run([&](int worker) { …; team.barrier(); … });
class ThreadTeam {
 public:
  /// Pins worker i to cpus[i] (the calling thread becomes worker 0 and is pinned too, until destruction
  /// restores its mask).
  explicit ThreadTeam(std::vector<int> cpus);
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;             ///< owns threads
  ThreadTeam& operator=(const ThreadTeam&) = delete;  ///< owns threads

  int size() const;
  const std::vector<int>& cpus() const;

  /// Calls body(worker) on every worker and returns when all have returned. The first exception thrown is
  /// rethrown here.
  template <class Body>
  void run(Body&& body) {
    using Callable = std::remove_reference_t<Body>;
    run_erased([](void* object, int worker) { (*static_cast<Callable*>(object))(worker); },
               const_cast<void*>(static_cast<const void*>(&body)));
  }

  /// Only inside run(), by every worker. Writes before it are seen after it.
  void barrier();

 private:
  void run_erased(void (*call)(void*, int), void* object);
  class State;
  std::unique_ptr<State> state_;
};

/// The half-open slice [begin, end) of `count` items that belongs to `worker` of `workers`, in multiples of
/// `grain`.
struct Slice {
  std::size_t begin, end;
};
constexpr Slice slice_of(std::size_t count, int worker, int workers, std::size_t grain = 1) {
  const std::size_t chunks = (count + grain - 1) / grain;
  const std::size_t first = chunks * static_cast<std::size_t>(worker) / static_cast<std::size_t>(workers);
  const std::size_t last =
      chunks * (static_cast<std::size_t>(worker) + 1) / static_cast<std::size_t>(workers);
  const auto clamp = [count](std::size_t items) { return items < count ? items : count; };
  return {clamp(first * grain), clamp(last * grain)};
}

}  // namespace sparkmpi::kernels::host
