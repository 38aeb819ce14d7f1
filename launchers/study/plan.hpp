#pragma once
// A study as a file says it (docs/studies.md has the format): environments × points × ranks × parameters,
// repeated in blocks.

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "launchers/launch.hpp"

namespace sparkmpi::launchers::study {

enum class Design : std::uint8_t {
  blocks,    ///< randomised complete blocks: each block has every trial once, shuffled
  williams,  ///< environments follow one another in a Williams design; points are shuffled in each block
};

struct PlannedEnvironment {
  std::string name;  ///< the plan's own: "shm-16g"
  const EnvironmentInfo* environment = nullptr;
  std::vector<std::string> options;  ///< "shm-size=16g"
  LaunchModel model = LaunchModel::hybrid;
  std::string program;  ///< empty: this program
};

/// GPU memory without which a point is not tried.
struct GpuMemoryNeed {
  std::uint64_t bytes = 0;  ///< 0: none is stated
  bool each = true;         ///< on every rank's GPU; otherwise on all of the trial's together
};

struct PlannedPoint {
  std::string name;
  Argv words;  ///< arguments of `sparkmpi run`; "@model" stands for a parameter, "@ranks" for the ranks
  std::vector<int> ranks;  ///< the point is run with each
  GpuMemoryNeed gpu_memory;
};

/// What the machine has to be like before each trial.
struct Cooldown {
  double gpu_temperature_c = 45;       ///< every GPU is cooler
  std::uint64_t memory_available = 0;  ///< bytes of MemAvailable at least; 0: no demand
  std::uint64_t page_cache_below = 0;  ///< bytes of page cache at most; 0: no demand
  double timeout_s = 3600;             ///< after which the study stops
};

enum class CacheState : std::uint8_t {
  keep,  ///< as the last trial left it
  cold,  ///< the files are dropped from the page cache; without files: everything is (needs root)
  warm,  ///< the files are in the page cache
};

struct StudyPlan {
  std::filesystem::path file;
  std::string name;
  Design design = Design::blocks;
  int repetitions = 1;  ///< number of blocks
  std::uint64_t seed = 1;
  std::vector<int> ranks = {1};  ///< of points that do not say their own
  bool several_ranks = false;    ///< some point has more than one number of ranks
  bool at_most_gpus = false;     ///< larger numbers of ranks than there are GPUs are left out
  Launcher launcher = Launcher::mpirun;
  std::vector<std::string> launcher_options;
  std::filesystem::path hostfile;
  std::vector<std::filesystem::path> visible;
  bool gpu = false, oversubscribe = false;
  double timeout_s = 0;  ///< of a trial; 0: none
  std::vector<PlannedEnvironment> environments;
  std::vector<PlannedPoint> points;
  std::vector<std::pair<std::string, std::vector<std::string>>> parameters;
  std::vector<std::pair<std::string, std::string>> variables;  ///< of every trial's environment
  Cooldown cooldown;
  CacheState cache = CacheState::keep;
  std::vector<std::filesystem::path> cached_files;
  double margin_percent = 1;             ///< of rates and times, for the comparison
  std::string memory_margin = "0.5GiB";  ///< of bytes
};

/// Throws UsageError that names the file, the line and what was meant.
StudyPlan read_plan(const std::filesystem::path& file);
/// The same from text. @param file for messages and for "@plan", the plan's directory.
StudyPlan parse_plan(const std::string& text, const std::filesystem::path& file);

}  // namespace sparkmpi::launchers::study
