#pragma once
// A model on the device that a rank drives: its weights, and the engine over them.

#include <cstdint>
#include <memory>

#include "kernels/inference/engine.hpp"
#include "kernels/inference/options.hpp"
#include "kernels/inference/verification.hpp"
#include "kernels/kernel.hpp"

namespace sparkmpi::kernels::inference {

class LoadedModel {
 public:
  virtual ~LoadedModel() = default;
  /// Memory that the weights hold.
  virtual std::uint64_t weight_bytes() const = 0;
  /// What a decode step of one token reads of them.
  virtual std::uint64_t weight_read_bytes() const = 0;
  virtual std::uint64_t weights_hash() const = 0;
  /// Allocates the KV cache. The engine goes before the model.
  virtual std::unique_ptr<Engine> make_engine(std::int64_t kv_blocks, Recorder& recorder) = 0;
  /// How far prefill and decode may be apart, by the arithmetic of the device.
  virtual VerificationLimits verification_limits() const = 0;
  /// What rooflines divide by: the device's read bandwidth in bytes a second, measured in this run. After
  /// make_engine().
  virtual double read_bandwidth() = 0;
};

/// Loads or makes this member's part of the weights of `settings` on the site's device; collective over
/// `group`. @param settings, site, group outlive the model.
std::unique_ptr<LoadedModel> load_model(const Settings& settings, const Site& site, Group& group,
                                        Recorder& recorder);

/// The two kinds of device; load_model chooses.
std::unique_ptr<LoadedModel> load_on_host(const Settings& settings, Group& group, Recorder& recorder);
std::unique_ptr<LoadedModel> load_on_cuda(const Settings& settings, const Site& site, Group& group,
                                          Recorder& recorder);

}  // namespace sparkmpi::kernels::inference
