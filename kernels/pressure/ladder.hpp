#pragma once
// Which size to try next: steps up to the first refusal, then bisection between what was granted and what was
// refused.

#include <cstdint>
#include <optional>

namespace sparkmpi::kernels::pressure {

struct LadderShape {
  std::uint64_t step = 0;        ///< bytes between two sizes on the way up
  std::uint64_t resolution = 0;  ///< the answer is known when granted and refused are this close
  std::uint64_t ceiling = 0;     ///< no size above it is tried
};

/// Knows nothing of memory: it is told what became of each size.
///
/// Example:
///   while (const auto size = ladder.next()) try_it(*size) ? ladder.granted(*size) : ladder.refused(*size);
class Ladder {
 public:
  /// Step and resolution are rounded up to whole kGrain. Throws std::logic_error for a step or resolution of
  /// 0.
  explicit Ladder(const LadderShape& shape);

  /// Sizes are whole huge pages, which is also what cudaMalloc takes from the device.
  static constexpr std::uint64_t kGrain = std::uint64_t{2} << 20U;

  /// As rounded.
  const LadderShape& shape() const { return shape_; }

  /// The size to try now, always above largest_granted() and below smallest_refused(); nothing when the
  /// answer is known.
  std::optional<std::uint64_t> next() const;
  void granted(std::uint64_t bytes);
  void refused(std::uint64_t bytes);

  std::uint64_t largest_granted() const { return granted_; }
  /// Nothing while all has been granted.
  std::optional<std::uint64_t> smallest_refused() const { return refused_; }

 private:
  LadderShape shape_;
  std::uint64_t granted_ = 0;
  std::optional<std::uint64_t> refused_;
};

}  // namespace sparkmpi::kernels::pressure
