#pragma once
// What in the numbers cannot be right, or cannot carry the conclusion that they look like.

#include <cstdint>
#include <functional>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "analysis/device_facts.hpp"
#include "analysis/table.hpp"

namespace sparkmpi::analysis {

/// What a model's name stands for.
struct ModelFacts {
  double weights_bytes = 0;        ///< of the checkpoint of that name
  double read_bytes_per_step = 0;  ///< weights that a decode step must read at least
  bool assumed = false;            ///< from the name alone, with four bits a parameter: a lower bound
};
using ModelLookup = std::function<std::optional<ModelFacts>(std::string_view model)>;

/// "…72B…" as 72e9 parameters of at least four bits each; nothing when the name holds no such number.
std::optional<ModelFacts> model_facts_from_name(std::string_view model);

struct AuditOptions {
  std::optional<DeviceFacts> device;  ///< over what the files say
  std::optional<double> concurrency;  ///< sequences in a decode step, where the files don't say it
  ModelLookup models = model_facts_from_name;
  /// The chance that a study without fault gives any finding that rests on a test: all p values of the audit
  /// are corrected together by Holm.
  double level = 0.05;
  double relative_margin = 0.01;  ///< drifts and differences below these sizes are no findings
  double byte_margin = 0.5 * 1024 * 1024 * 1024;  ///< the same for bytes
  std::uint64_t seed = 1;
};

struct Finding {
  std::string check;     ///< "affine", "identical", "capacity", …: stable, for scripts
  std::string what;      ///< one sentence
  std::string evidence;  ///< with the numbers
  std::string sure;      ///< "certain: arithmetic", "p = …"
  std::string advice;    ///< what to do
  std::map<std::string, double> numbers;
  double p =
      std::numeric_limits<double>::quiet_NaN();  ///< of findings that rest on a test: before correction
};

/// One check: what it came to.
struct CheckOutcome {
  std::string name, question;
  std::size_t findings = 0;
  std::string not_possible;  ///< why it could not be made; empty when it was
};

struct AuditReport {
  std::vector<Finding> findings;
  std::vector<CheckOutcome> checks;
  std::size_t launches = 0;
  std::size_t tests = 0;  ///< p values that were corrected together
  double level = 0;
};

AuditReport audit(const Table& table, const AuditOptions& options);

}  // namespace sparkmpi::analysis
