#include "launchers/study/trial_record.hpp"

#include <fmt/chrono.h>
#include <fmt/format.h>

#include <array>
#include <ctime>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr std::array<std::string_view, 4> kStatus = {"started", "done", "failed", "interrupted"};

template <class Value>
Json or_null(const std::optional<Value>& value) {
  return value ? Json(*value) : Json();
}

Json state_json(const MachineState& state, double waited_s) {
  return {{"waited_s", waited_s},
          {"gpu_temperatures_c", state.gpu_temperatures_c},
          {"memory_available_bytes", or_null(state.memory_available)},
          {"page_cache_bytes", or_null(state.page_cache)},
          {"cached_share_of_files", or_null(state.cached_share)}};
}

Status status_of(const std::string& text) {
  for (std::size_t i = 0; i < kStatus.size(); ++i)
    if (kStatus.at(i) == text) return static_cast<Status>(i);
  throw Error(fmt::format("'{}' is no trial's status", text));
}

Attempt read_attempt(const fs::path& file) {
  std::ifstream in(file);
  const Json json = Json::parse(in);
  Attempt attempt;
  attempt.number = json.at("attempt").get<int>();
  attempt.status = status_of(json.at("status").get<std::string>());
  attempt.exit_status = json.at("exit_status").get<int>();
  attempt.order = json.at("order").get<int>();
  attempt.duration_s = json.at("duration_s").get<double>();
  attempt.reason = json.at("reason").get<std::string>();
  attempt.environment = json.at("environment").get<std::string>();
  attempt.started = json.at("started").get<std::string>();
  return attempt;
}

}  // namespace

std::string_view to_string(Status status) {
  return kStatus.at(static_cast<std::size_t>(status));
}

std::string attempt_name(int number) {
  return fmt::format("attempt-{}", number);
}

std::string now_text() {
  const std::time_t now = std::time(nullptr);
  std::tm broken_down{};
  gmtime_r(&now, &broken_down);
  return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", broken_down);
}

void write_whole(const fs::path& file, const std::string& text) {
  const fs::path beside = file.string() + ".new";
  std::ofstream out(beside, std::ios::binary);
  out << text;
  out.close();
  std::error_code failed;
  if (out) fs::rename(beside, file, failed);
  if (!out || failed)
    throw Error(fmt::format("{} can't be written{}", file.string(), failed ? ": " + failed.message() : ""));
}

void write_attempt(const fs::path& directory, const Trial& trial, const Attempt& attempt) {
  const Json json = {{"trial", trial.name},
                     {"block", trial.block},
                     {"scheduled_order", trial.order},
                     {"order", attempt.order},
                     {"attempt", attempt.number},
                     {"environment", attempt.environment},
                     {"previous_environment", attempt.previous_environment},
                     {"point", trial.point},
                     {"command", attempt.command},
                     {"status", to_string(attempt.status)},
                     {"exit_status", attempt.exit_status},
                     {"reason", attempt.reason},
                     {"started", attempt.started},
                     {"ended", attempt.ended},
                     {"duration_s", attempt.duration_s},
                     {"state_before", state_json(attempt.state, attempt.waited_s)}};
  // A path may hold bytes that are no UTF-8.
  write_whole(directory / "trial.json", json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n");
}

std::vector<Attempt> read_attempts(const fs::path& trial_directory) {
  std::vector<Attempt> attempts;
  for (int number = 1; fs::exists(trial_directory / attempt_name(number)); ++number) {
    const fs::path file = trial_directory / attempt_name(number) / "trial.json";
    if (!fs::exists(file)) {  // killed between making the directory and writing it
      attempts.emplace_back();
      attempts.back().number = number;
      continue;
    }
    try {
      attempts.push_back(read_attempt(file));
    } catch (const std::exception& error) {
      throw Error(fmt::format("{} can't be understood: {}", file.string(), error.what()));
    }
  }
  return attempts;
}

}  // namespace sparkmpi::launchers::study
