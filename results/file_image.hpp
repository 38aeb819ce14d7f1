#pragma once
// A result file as bytes in memory, and putting bytes on disk in one atomic step.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <vector>

#include "results/hdf5.hpp"

namespace sparkmpi::results {

using FileImage = std::vector<std::uint8_t>;

/// Opens `image` (empty: a new file) in memory, lets `edit` work on the root of it, and returns the new
/// image. HDF5 never touches the disk: a disk that fills up fails in replace_file() with the system's own
/// reason, not inside HDF5 with a half-written file.
FileImage edit_image(const FileImage& image, const std::function<void(hid_t file)>& edit);

/// Opens `image` in memory for reading.
void open_read_only(const FileImage& image, const std::function<void(hid_t file)>& use);

/// The whole file. Throws Error when it can't be read.
FileImage read_file(const std::filesystem::path& path);

/// Writes `image` beside `path`, syncs it, and renames it into place; then syncs the directory. Whatever dies
/// at whatever moment, `path` is either as before or complete. Throws Error with the system's reason, leaving
/// `path` as it was.
void replace_file(const std::filesystem::path& path, const FileImage& image);

/// The name replace_file() writes to first: a hidden file in the same directory, so that rename(2) stays on
/// one file system.
std::filesystem::path partial_path(const std::filesystem::path& path);

}  // namespace sparkmpi::results
