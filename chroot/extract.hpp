#pragma once
// A root file system out of a container image or an archive.

#include <filesystem>
#include <string>
#include <vector>

namespace sparkmpi::chroot {

/// Unpacks a tar archive (compressed in whatever way tar knows), or the image of that name as podman or
/// docker have it, into an empty or new directory. Throws UsageError for a source that is neither, for a
/// directory that is not empty, and for an image of another architecture (which is removed again); Error with
/// the tool's own words when it fails.
void extract_root(const std::string& source, const std::filesystem::path& root);

/// How an image's files come out of it: the argument lists of making a container that never runs, writing its
/// file system to `tar`, and removing it. "@container" stands for what the first one prints.
std::vector<std::vector<std::string>> image_export_commands(const std::string& tool, const std::string& image,
                                                            const std::filesystem::path& tar);

}  // namespace sparkmpi::chroot
