#pragma once
// JSON that other programs write, recognised by its shape.

#include <filesystem>
#include <nlohmann/json_fwd.hpp>
#include <span>
#include <string_view>
#include <vector>

#include "analysis/formats/staged.hpp"

namespace sparkmpi::analysis {

/// One program's JSON. `launches` may throw nlohmann's exceptions for fields that are missing or of another
/// type.
struct ForeignFormat {
  std::string_view name;
  bool (*recognises)(const nlohmann::json& document);
  std::vector<StagedLaunch> (*launches)(const nlohmann::json& document, const std::filesystem::path& file);
};

std::span<const ForeignFormat> foreign_formats();

/// Adds what the file holds; JSON Lines are read as a list. Throws UsageError when it is no JSON, of no known
/// format, or not what it looks like; the table is then as before.
void read_foreign_json(const std::filesystem::path& path, Table& table);

// The formats, each in a file of its own.
extern const ForeignFormat
    kTrialRuns;  ///< {"models": {MODEL: {ENVIRONMENT: [run, …]}}}: the published Phase 1 study
extern const ForeignFormat kLlamaBench;   ///< llama-bench -o json or jsonl
extern const ForeignFormat kNcclTests;    ///< nccl-tests -J
extern const ForeignFormat kNvbandwidth;  ///< nvbandwidth --json
extern const ForeignFormat kTrtllmBench;  ///< trtllm-bench --report_json

/// A number, or a text that holds one; NaN for null and for text such as "N/A".
double number_of(const nlohmann::json& value);
/// "2025-04-24 11:57:09" and "20251109_042404" as "2025-04-24T11:57:09Z"; other text as it is.
std::string iso_time(std::string_view text);

}  // namespace sparkmpi::analysis
