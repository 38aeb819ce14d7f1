#pragma once
// When enough has been measured. Each rule is a small class that sees one number at a time and can be tried
// on made-up ones.

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

namespace sparkmpi::kernels::timing {

class StoppingRule {
 public:
  virtual ~StoppingRule() = default;
  /// @param seconds one sample.
  virtual void add(double seconds) = 0;
  virtual bool done() const = 0;
  /// Why, for the result file: "count", "converged", "time_budget".
  virtual std::string_view reason() const = 0;
};

/// A fixed number of samples.
class SampleCount final : public StoppingRule {
 public:
  explicit SampleCount(std::size_t wanted) : wanted_(wanted) {}
  void add(double) override { ++seen_; }
  bool done() const override { return seen_ >= wanted_; }
  std::string_view reason() const override { return "count"; }

 private:
  std::size_t wanted_, seen_ = 0;
};

/// Measured time adds up to a budget.
class TimeBudget final : public StoppingRule {
 public:
  explicit TimeBudget(double seconds) : left_(seconds) {}
  void add(double seconds) override { left_ -= seconds; }
  bool done() const override { return left_ <= 0; }
  std::string_view reason() const override { return "time_budget"; }

 private:
  double left_;
};

/// The median is known well enough: the distribution-free 95 % interval for it, between the order statistics
/// n/2 ± 1.96·√n/2 (Le Boudec, Performance Evaluation of Computer and Communication Systems, theorem 2.1 and
/// its large-n form), is narrower than `relative_width` of the median. Holds for skewed timings, where an
/// interval for the mean does not.
class MedianConverged final : public StoppingRule {
 public:
  MedianConverged(double relative_width, std::size_t at_least)
      : relative_width_(relative_width), at_least_(at_least) {}
  void add(double seconds) override;
  bool done() const override { return done_; }
  std::string_view reason() const override { return "converged"; }

 private:
  double relative_width_;
  std::size_t at_least_;
  std::vector<double> sorted_;
  bool done_ = false;
};

/// What a benchmark of one operation stops by: a number of samples when one is asked for; otherwise when the
/// median is known to 1 %, or `most_s` of measuring are spent.
std::unique_ptr<StoppingRule> samples_or_known_median(std::size_t samples, double most_s);

/// The first of several rules to be done decides, and its reason counts.
class FirstOf final : public StoppingRule {
 public:
  explicit FirstOf(std::vector<std::unique_ptr<StoppingRule>> rules) : rules_(std::move(rules)) {}
  void add(double seconds) override;
  bool done() const override { return first_ != nullptr; }
  std::string_view reason() const override { return first_ != nullptr ? first_->reason() : "running"; }

 private:
  std::vector<std::unique_ptr<StoppingRule>> rules_;
  const StoppingRule* first_ = nullptr;
};

}  // namespace sparkmpi::kernels::timing
