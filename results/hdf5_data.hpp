#pragma once
// Attributes, data sets and dimension scales, as this project's files use them.

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/attributes.hpp"
#include "results/hdf5.hpp"

namespace sparkmpi::results::h5 {

using Shape = std::vector<hsize_t>;

void write_attribute(hid_t object, const std::string& name, const Attribute& value);
void write_attribute(hid_t object, const std::string& name, std::span<const std::int8_t> values);
void write_attribute(hid_t object, const std::string& name, std::span<const std::int64_t> values);
/// Throws Hdf5Error when it is missing or of a type this project does not write.
Attribute read_attribute(hid_t object, const std::string& name);
std::vector<std::int64_t> read_integers_attribute(hid_t object, const std::string& name);
bool has_attribute(hid_t object, const std::string& name);
/// Every scalar attribute except those that HDF5's dimension scales keep for themselves.
Attributes read_attributes(hid_t object);

/// Data sets in row-major order. Doubles have the fill value NaN; from a few hundred bytes on, numbers are
/// chunked and deflated. Strings are of variable length, UTF-8. A dimension of length 0 is allowed.
Handle write(hid_t parent, const std::string& name, const Shape& shape, std::span<const double> values);
Handle write(hid_t parent, const std::string& name, const Shape& shape, std::span<const std::int64_t> values);
Handle write(hid_t parent, const std::string& name, const Shape& shape, std::span<const std::int8_t> values);
Handle write(hid_t parent, const std::string& name, const Shape& shape, std::span<const std::string> values);

Handle open_dataset(hid_t parent, const std::string& name);
/// Nothing when `name` is a group.
std::optional<Handle> open_if_dataset(hid_t parent, const std::string& name);
Shape shape_of(hid_t dataset);
std::vector<double> read_doubles(hid_t dataset);
std::vector<std::int64_t> read_integers(hid_t dataset);
std::vector<std::string> read_strings(hid_t dataset);
bool holds_strings(hid_t dataset);
/// The scale attached to a dimension, the same reference for each data set that uses it; none without one.
std::optional<hobj_ref_t> scale_of(hid_t dataset, unsigned dimension);
std::string scale_name(hid_t file, hobj_ref_t scale);
/// The links of a group in the order they were made.
std::vector<std::string> children(hid_t group);

/// Turns a one-dimensional data set into the dimension scale called `name`.
void make_scale(const Handle& dataset, const std::string& name);
/// scales[i] belongs to dimension i.
void attach_scales(const Handle& dataset, std::span<const Handle* const> scales);

}  // namespace sparkmpi::results::h5
