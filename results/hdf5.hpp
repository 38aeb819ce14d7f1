#pragma once
// HDF5's C library with owning handles and errors that say what HDF5 said.

#include <hdf5.h>

#include <string>
#include <string_view>
#include <utility>

#include "base/error.hpp"

namespace sparkmpi::results::h5 {

/// An HDF5 call failed; the message holds what was being done and HDF5's own innermost reason.
class Hdf5Error : public Error {
 public:
  using Error::Error;
};

/// Owns one id. The closing function is part of the handle, so that a group is never closed as a data set.
class Handle {
 public:
  using Close = herr_t (*)(hid_t);
  Handle() = default;
  /// Takes over `id`; throws Hdf5Error when it is negative. @param doing completes "cannot …".
  Handle(hid_t id, Close close, std::string_view doing);
  ~Handle();  ///< reports a failed close on stderr and never throws
  Handle(Handle&& other) noexcept : id_(std::exchange(other.id_, -1)), close_(other.close_) {}
  Handle& operator=(Handle&& other) noexcept {
    std::swap(id_, other.id_);
    std::swap(close_, other.close_);
    return *this;
  }
  Handle(const Handle&) = delete;             ///< owns an id
  Handle& operator=(const Handle&) = delete;  ///< owns an id

  hid_t get() const { return id_; }

 private:
  hid_t id_ = -1;
  Close close_ = nullptr;
};

/// Throws Hdf5Error when `status` is negative; returns it otherwise.
template <class Status>
Status require(Status status, std::string_view doing);
extern template herr_t require(herr_t, std::string_view);
extern template hid_t require(hid_t, std::string_view);
extern template hssize_t require(hssize_t, std::string_view);

/// While it lives HDF5 prints no error stacks of its own: this code turns them into exceptions.
class QuietErrors {
 public:
  QuietErrors();
  ~QuietErrors();
  QuietErrors(const QuietErrors&) = delete;             ///< restores the library's setting
  QuietErrors& operator=(const QuietErrors&) = delete;  ///< restores the library's setting

 private:
  H5E_auto2_t print_ = nullptr;
  void* data_ = nullptr;
};

Handle create_group(hid_t parent, const std::string& name);
Handle open_group(hid_t parent, const std::string& name);
/// Whether the path exists below `parent`, one level.
bool exists(hid_t parent, const std::string& name);

}  // namespace sparkmpi::results::h5
