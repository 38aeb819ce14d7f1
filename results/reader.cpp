#include "results/reader.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <stdexcept>
#include <variant>

#include "base/error.hpp"
#include "results/file_image.hpp"
#include "results/format.hpp"
#include "results/kernel_layout.hpp"
#include "results/table_layout.hpp"

namespace sparkmpi::results {
namespace {

void require_our_format(hid_t file, const std::filesystem::path& path) {
  if (!h5::has_attribute(file, "format") || !h5::has_attribute(file, "format_version") ||
      to_string(h5::read_attribute(file, "format")) != kFormatName) {
    throw UsageError(fmt::format("{}: is no sparkmpi result file", path.string()));
  }
  const Attribute version = h5::read_attribute(file, "format_version");
  const auto* const number = std::get_if<std::int64_t>(&version);
  if (number == nullptr || *number < 1 || *number > kFormatVersion) {
    throw UsageError(fmt::format("{}: has format version {}, this sparkmpi reads up to {}; use a newer one",
                                 path.string(), to_string(version), kFormatVersion));
  }
}

ResultFile read_all(hid_t file, const ReadOptions& options) {
  ResultFile result;
  result.run.facts = h5::read_attributes(h5::open_group(file, "provenance").get());
  const h5::Handle table = h5::open_group(file, "ranks");
  const auto ranks =
      static_cast<std::size_t>(h5::shape_of(h5::open_dataset(table.get(), "rank").get()).at(0));
  for (Attributes& facts : read_facts(table.get(), ranks, options.rank_fact))
    result.ranks.push_back({std::move(facts)});
  const h5::Handle kernels = h5::open_group(file, "kernels");
  for (const std::string& name : h5::children(kernels.get())) {
    result.kernels.push_back(read_kernel(h5::open_group(kernels.get(), name).get(), options));
  }
  std::ranges::stable_sort(result.kernels, {}, [](const StoredKernel& kernel) { return kernel.point.index; });
  return result;
}

}  // namespace

ResultFile read_result(const std::filesystem::path& path, const ReadOptions& options) {
  const FileImage image = read_file(path);
  if (image.empty()) throw UsageError(fmt::format("{}: is empty, no sparkmpi result file", path.string()));
  ResultFile result;
  try {
    open_read_only(image, [&](hid_t file) {
      require_our_format(file, path);
      result = read_all(file, options);
    });
  } catch (const h5::Hdf5Error& error) {
    throw UsageError(
        fmt::format("{}: is damaged or no sparkmpi result file: {}", path.string(), error.what()));
  } catch (const std::out_of_range&) {
    throw UsageError(
        fmt::format("{}: is damaged: a part that every result file has is missing", path.string()));
  } catch (const std::bad_variant_access&) {
    throw UsageError(
        fmt::format("{}: is damaged: a value has another type than sparkmpi writes", path.string()));
  }
  return result;
}

}  // namespace sparkmpi::results
