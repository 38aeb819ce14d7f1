#pragma once
// A study's directory: whose it is, and who is at work in it.

#include <filesystem>

#include "launchers/study/plan.hpp"
#include "launchers/study/schedule.hpp"

namespace sparkmpi::launchers::study {

/// Held as long as it lives, also against other machines that share the file system by NFS.
class StudyDirectory {
 public:
  /// Makes the directory with plan.ini and schedule.csv, or finds them unchanged. Throws UsageError when it
  /// holds another plan or another process has it.
  StudyDirectory(std::filesystem::path path, const StudyPlan& plan, const std::vector<Trial>& schedule);
  ~StudyDirectory();
  StudyDirectory(const StudyDirectory&) = delete;             ///< owns a lock
  StudyDirectory& operator=(const StudyDirectory&) = delete;  ///< owns a lock

  std::filesystem::path trial(const Trial& trial) const { return path_ / "trials" / trial.name; }
  std::filesystem::path result(const Trial& trial) const { return path_ / "results" / (trial.name + ".h5"); }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int lock_ = -1;
};

}  // namespace sparkmpi::launchers::study
