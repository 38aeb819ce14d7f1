#include "results/hdf5.hpp"

#include <fmt/format.h>

#include <cstdio>
#include <type_traits>

namespace sparkmpi::results::h5 {
namespace {

/// HDF5's own words for what went wrong deepest down.
std::string innermost_reason() {
  std::string reason;
  const auto keep = [](unsigned, const H5E_error2_t* error, void* into) -> herr_t {
    if (error->desc != nullptr) *static_cast<std::string*>(into) = error->desc;
    return 0;
  };
  // Downward: from the API call to where it failed, so the last one stays.
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_DOWNWARD, keep, &reason);
  H5Eclear2(H5E_DEFAULT);
  return reason.empty() ? "no reason given" : reason;
}

[[noreturn]] void fail(std::string_view doing) {
  throw Hdf5Error(fmt::format("cannot {}: HDF5 says: {}", doing, innermost_reason()));
}

}  // namespace

Handle::Handle(hid_t id, Close close, std::string_view doing) : id_(id), close_(close) {
  if (id < 0) fail(doing);
}

Handle::~Handle() {
  if (id_ >= 0 && close_(id_) < 0) std::fputs("sparkmpi: an HDF5 object could not be closed\n", stderr);
}

template <class Status>
Status require(Status status, std::string_view doing) {
  if (status < 0) fail(doing);
  return status;
}
template herr_t require(herr_t, std::string_view);
template hid_t require(hid_t, std::string_view);
template hssize_t require(hssize_t, std::string_view);

QuietErrors::QuietErrors() {
  H5Eget_auto2(H5E_DEFAULT, &print_, &data_);
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
}

QuietErrors::~QuietErrors() {
  H5Eset_auto2(H5E_DEFAULT, print_, data_);
}

Handle create_group(hid_t parent, const std::string& name) {
  // netCDF-4 readers want to know the order in which links were made.
  const Handle order(H5Pcreate(H5P_GROUP_CREATE), H5Pclose, "make a group's properties");
  require(H5Pset_link_creation_order(order.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
          "track creation order");
  return {H5Gcreate2(parent, name.c_str(), H5P_DEFAULT, order.get(), H5P_DEFAULT), H5Gclose,
          fmt::format("create group '{}'", name)};
}

Handle open_group(hid_t parent, const std::string& name) {
  return {H5Gopen2(parent, name.c_str(), H5P_DEFAULT), H5Gclose, fmt::format("open group '{}'", name)};
}

bool exists(hid_t parent, const std::string& name) {
  return require(H5Lexists(parent, name.c_str(), H5P_DEFAULT), fmt::format("look for '{}'", name)) > 0;
}

}  // namespace sparkmpi::results::h5
