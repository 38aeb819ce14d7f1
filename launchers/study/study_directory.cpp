#include "launchers/study/study_directory.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/error.hpp"
#include "launchers/study/trial_record.hpp"
#include "ledger/field_file.hpp"

namespace sparkmpi::launchers::study {
namespace {

namespace fs = std::filesystem;

/// Writes the file, or finds it with the same content.
void keep(const fs::path& file, const std::string& text, const fs::path& directory) {
  const auto before = ledger::read_text(file);
  if (!before) return write_whole(file, text);
  if (*before != text)
    throw UsageError(fmt::format(
        "{} belongs to another plan, another version of it or another number of GPUs ({} differs); name "
        "another directory with -o",
        directory.string(), file.filename().string()));
}

}  // namespace

StudyDirectory::StudyDirectory(fs::path path, const StudyPlan& plan, const std::vector<Trial>& schedule)
    : path_(std::move(path)) {
  std::error_code failed;
  fs::create_directories(path_ / "trials", failed);
  if (!failed) fs::create_directories(path_ / "results", failed);
  if (failed) throw Error(fmt::format("{} can't be made: {}", path_.string(), failed.message()));
  lock_ = open((path_ / "lock").c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (lock_ < 0 || fcntl(lock_, F_SETLK, &whole) != 0) {
    const int status = errno;
    if (lock_ >= 0) close(lock_);
    throw UsageError(status == EAGAIN || status == EACCES
                         ? fmt::format("another process runs the study in {}", path_.string())
                         : fmt::format("{} can't be locked: {}", path_.string(), std::strerror(status)));
  }
  try {
    keep(path_ / "plan.ini", ledger::read_text(plan.file).value_or(""), path_);
    keep(path_ / "schedule.csv", schedule_text(plan, schedule), path_);
  } catch (...) {
    close(lock_);
    throw;
  }
}

StudyDirectory::~StudyDirectory() {
  close(lock_);
}

}  // namespace sparkmpi::launchers::study
