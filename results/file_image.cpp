#include "results/file_image.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <hdf5_hl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.hpp"

namespace sparkmpi::results {
namespace {

constexpr std::size_t kGrowth = std::size_t{1} << 20;

Error system_error(const std::filesystem::path& path, std::string_view call) {
  return Error(fmt::format("{}: {} failed: {}", path.string(), call, std::strerror(errno)));
}

class Descriptor {
 public:
  Descriptor(const std::filesystem::path& path, int flags)
      : descriptor_(open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    if (descriptor_ < 0) throw system_error(path, "open");
  }
  ~Descriptor() {
    if (descriptor_ >= 0) close(descriptor_);
  }
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  int get() const { return descriptor_; }

 private:
  int descriptor_;
};

/// The in-memory driver, nothing written back; objects keep the order in which they were made.
h5::Handle memory_access() {
  h5::Handle access(H5Pcreate(H5P_FILE_ACCESS), H5Pclose, "make file access properties");
  h5::require(H5Pset_fapl_core(access.get(), kGrowth, false), "choose the in-memory driver");
  return access;
}

h5::Handle open_image(const FileImage& image) {
  const h5::Handle access = memory_access();
  if (image.empty()) {
    const h5::Handle creation(H5Pcreate(H5P_FILE_CREATE), H5Pclose, "make file properties");
    h5::require(H5Pset_link_creation_order(creation.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
                "track creation order");
    return {H5Fcreate("sparkmpi-memory", H5F_ACC_TRUNC, creation.get(), access.get()), H5Fclose,
            "make a file in memory"};
  }
  h5::require(H5Pset_file_image(access.get(), const_cast<std::uint8_t*>(image.data()), image.size()),
              "take over a file's image");
  return {H5Fopen("sparkmpi-memory", H5F_ACC_RDWR, access.get()), H5Fclose, "open a file's image"};
}

}  // namespace

FileImage edit_image(const FileImage& image, const std::function<void(hid_t file)>& edit) {
  const h5::QuietErrors quiet;
  const h5::Handle file = open_image(image);
  edit(file.get());
  h5::require(H5Fflush(file.get(), H5F_SCOPE_GLOBAL), "flush a file in memory");
  const ssize_t size = H5Fget_file_image(file.get(), nullptr, 0);
  h5::require(static_cast<hssize_t>(size), "measure a file in memory");
  FileImage edited(static_cast<std::size_t>(size));
  h5::require(static_cast<hssize_t>(H5Fget_file_image(file.get(), edited.data(), edited.size())),
              "copy a file in memory");
  return edited;
}

void open_read_only(const FileImage& image, const std::function<void(hid_t file)>& use) {
  const h5::QuietErrors quiet;
  // Not for writing, so HDF5 leaves the bytes as they are, in their place.
  const h5::Handle file(H5LTopen_file_image(const_cast<std::uint8_t*>(image.data()), image.size(),
                                            H5LT_FILE_IMAGE_DONT_COPY | H5LT_FILE_IMAGE_DONT_RELEASE),
                        H5Fclose, "open a file's image");
  use(file.get());
}

FileImage read_file(const std::filesystem::path& path) {
  const Descriptor file(path, O_RDONLY);
  struct stat status {};
  if (fstat(file.get(), &status) != 0) throw system_error(path, "stat");
  if (!S_ISREG(status.st_mode)) throw Error(fmt::format("{}: is no regular file", path.string()));
  FileImage image(static_cast<std::size_t>(status.st_size));
  for (std::size_t at = 0; at < image.size();) {
    const ssize_t got = read(file.get(), image.data() + at, image.size() - at);
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) throw system_error(path, "read");
    if (got == 0) throw Error(fmt::format("{}: became shorter while it was read", path.string()));
    at += static_cast<std::size_t>(got);
  }
  return image;
}

std::filesystem::path partial_path(const std::filesystem::path& path) {
  return path.parent_path() / ("." + path.filename().string() + ".partial");
}

void replace_file(const std::filesystem::path& path, const FileImage& image) {
  const std::filesystem::path partial = partial_path(path);
  try {
    const Descriptor file(partial, O_WRONLY | O_CREAT | O_TRUNC);
    for (std::size_t at = 0; at < image.size();) {
      const ssize_t put = write(file.get(), image.data() + at, image.size() - at);
      if (put < 0 && errno == EINTR) continue;
      if (put < 0) {
        const int reason = errno;
        throw Error(fmt::format("{}: cannot write {}: {}", path.string(),
                                format_bytes(static_cast<double>(image.size())), std::strerror(reason)));
      }
      at += static_cast<std::size_t>(put);
    }
    if (fsync(file.get()) != 0) throw system_error(path, "fsync");
    if (rename(partial.c_str(), path.c_str()) != 0) throw system_error(path, "rename into place");
  } catch (...) {
    unlink(partial.c_str());
    throw;
  }
  // Without this the rename itself could be lost with the power; file systems that can't sync a directory say
  // EINVAL.
  const std::filesystem::path folder = path.has_parent_path() ? path.parent_path() : ".";
  const Descriptor directory(folder, O_RDONLY | O_DIRECTORY);
  if (fsync(directory.get()) != 0 && errno != EINVAL) throw system_error(folder, "fsync");
}

}  // namespace sparkmpi::results
