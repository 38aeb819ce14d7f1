#include "results/writer.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>

#include "base/error.hpp"
#include "results/file_image.hpp"
#include "results/format.hpp"
#include "results/kernel_layout.hpp"
#include "results/table_layout.hpp"

namespace sparkmpi::results {
namespace {

/// A file with the run's and the ranks' facts, and no kernel.
FileImage empty_run(const RunInfo& run, std::span<const RankInfo> ranks) {
  return edit_image({}, [&](hid_t file) {
    h5::write_attribute(file, "format", std::string(kFormatName));
    h5::write_attribute(file, "format_version", kFormatVersion);
    const h5::Handle provenance = h5::create_group(file, "provenance");
    for (const auto& [name, value] : run.facts) h5::write_attribute(provenance.get(), name, value);
    const h5::Handle table = h5::create_group(file, "ranks");
    const h5::Handle rank_scale = write_rank_scale(table.get(), ranks.size());
    std::vector<const Attributes*> facts;
    for (const RankInfo& rank : ranks) facts.push_back(&rank.facts);
    write_facts(table.get(), rank_scale, facts);
    h5::create_group(file, "kernels");
  });
}

FileImage with_kernel(const FileImage& image, const Point& point, std::span<const MetricInfo> metrics,
                      std::span<const KernelRecord> records) {
  return edit_image(image, [&](hid_t file) {
    write_kernel(h5::open_group(file, "kernels").get(), point, metrics, records);
  });
}

/// Where a point goes that its own file has no room for.
std::filesystem::path rescue_path(const std::filesystem::path& path) {
  const char* const folder = std::getenv("TMPDIR");
  return std::filesystem::path(folder != nullptr && *folder != '\0' ? folder : "/tmp") /
         fmt::format("rescued-{}-{}", getpid(), path.filename().string());
}

}  // namespace

ResultWriter::ResultWriter(std::filesystem::path path, bool force, const RunInfo& run,
                           std::span<const RankInfo> ranks)
    : path_(std::move(path)), first_image_(empty_run(run, ranks)) {
  if (!force && std::filesystem::exists(path_)) {
    throw UsageError(
        fmt::format("{} exists already; choose another -o, or overwrite it with --force", path_.string()));
  }
  replace_file(path_, first_image_);
}

ResultWriter::~ResultWriter() = default;

void ResultWriter::commit(const Point& point, std::span<const MetricInfo> metrics,
                          std::span<const KernelRecord> records) {
  try {
    replace_file(path_, with_kernel(read_file(path_), point, metrics, records));
  } catch (const Error& error) {
    const std::filesystem::path rescue = rescue_path(path_);
    std::string kept;
    try {
      replace_file(rescue, with_kernel(first_image_, point, metrics, records));
      kept = fmt::format("this kernel's results were put into {} instead", rescue.string());
    } catch (const Error& second) {
      kept = fmt::format("and {} could not take this kernel's results either", rescue.string());
    }
    throw Error(fmt::format("{}; all kernels before {} are safe in {}; {}", error.what(),
                            kernel_group_name(point), path_.string(), kept));
  }
}

}  // namespace sparkmpi::results
