#include "results/hdf5_data.hpp"

#include <fmt/format.h>
#include <hdf5_hl.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numeric>

namespace sparkmpi::results::h5 {
namespace {

constexpr std::size_t kCompressFrom = 512;      // bytes; below, chunk indices cost more than they save
constexpr hsize_t kChunkElements = 128 * 1024;  // 1 MiB of doubles
constexpr unsigned kDeflateLevel = 4;

Handle string_type() {
  Handle type(H5Tcopy(H5T_C_S1), H5Tclose, "copy the string type");
  require(H5Tset_size(type.get(), H5T_VARIABLE), "make strings variable");
  require(H5Tset_cset(type.get(), H5T_CSET_UTF8), "make strings UTF-8");
  return type;
}

Handle scalar_space() {
  return {H5Screate(H5S_SCALAR), H5Sclose, "make a scalar space"};
}

Handle space_of(const Shape& shape) {
  if (shape.empty()) return scalar_space();
  return {H5Screate_simple(static_cast<int>(shape.size()), shape.data(), nullptr), H5Sclose,
          "make a data space"};
}

hsize_t elements(const Shape& shape) {
  return std::accumulate(shape.begin(), shape.end(), hsize_t{1}, std::multiplies<>{});
}

/// Chunks of whole trailing dimensions, halving from the front until one is small enough.
Shape chunk_of(Shape shape) {
  std::size_t dimension = 0;
  while (elements(shape) > kChunkElements) {
    if (shape[dimension] == 1) {
      ++dimension;
    } else {
      shape[dimension] = (shape[dimension] + 1) / 2;
    }
  }
  return shape;
}

Handle creation_properties(const Shape& shape, std::size_t element_bytes, hid_t type) {
  Handle properties(H5Pcreate(H5P_DATASET_CREATE), H5Pclose, "make a data set's properties");
  require(H5Pset_attr_creation_order(properties.get(), H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
          "track creation order");
  if (type == H5T_IEEE_F64LE) {
    const double nan = std::numeric_limits<double>::quiet_NaN();
    require(H5Pset_fill_value(properties.get(), H5T_NATIVE_DOUBLE, &nan), "set the fill value");
  }
  const hsize_t count = elements(shape);
  if (!shape.empty() && count > 0 && count * element_bytes >= kCompressFrom &&
      H5Zfilter_avail(H5Z_FILTER_DEFLATE) > 0) {
    const Shape chunk = chunk_of(shape);
    require(H5Pset_chunk(properties.get(), static_cast<int>(chunk.size()), chunk.data()),
            "set the chunk size");
    require(H5Pset_shuffle(properties.get()), "add the shuffle filter");
    require(H5Pset_deflate(properties.get(), kDeflateLevel), "add the deflate filter");
  }
  return properties;
}

Handle write_raw(hid_t parent, const std::string& name, const Shape& shape, hid_t file_type,
                 hid_t memory_type, std::size_t element_bytes, const void* values) {
  const Handle space = space_of(shape);
  const Handle properties = creation_properties(shape, element_bytes, file_type);
  Handle dataset(
      H5Dcreate2(parent, name.c_str(), file_type, space.get(), H5P_DEFAULT, properties.get(), H5P_DEFAULT),
      H5Dclose, fmt::format("create data set '{}'", name));
  if (elements(shape) > 0) {
    require(H5Dwrite(dataset.get(), memory_type, H5S_ALL, H5S_ALL, H5P_DEFAULT, values),
            fmt::format("write '{}'", name));
  }
  return dataset;
}

void write_attribute_raw(hid_t object, const std::string& name, hid_t file_type, hid_t memory_type,
                         const Shape& shape, const void* values) {
  const Handle space = space_of(shape);
  const Handle attribute(H5Acreate2(object, name.c_str(), file_type, space.get(), H5P_DEFAULT, H5P_DEFAULT),
                         H5Aclose, fmt::format("create attribute '{}'", name));
  require(H5Awrite(attribute.get(), memory_type, values), fmt::format("write attribute '{}'", name));
}

Handle open_attribute(hid_t object, const std::string& name) {
  return {H5Aopen(object, name.c_str(), H5P_DEFAULT), H5Aclose, fmt::format("open attribute '{}'", name)};
}

/// Conversion buffers for `count` strings: HDF5 clears a whole buffer for each read, 1 MiB by default.
Handle transfer_of(std::size_t count) {
  constexpr std::size_t kMost = std::size_t{1} << 20, kOfOne = 32;  // bytes; a string's place in a file is 16
  Handle transfer(H5Pcreate(H5P_DATASET_XFER), H5Pclose, "make transfer properties");
  require(H5Pset_buffer(transfer.get(), std::min(kMost, count * kOfOne), nullptr, nullptr),
          "size the conversion buffer");
  return transfer;
}

std::size_t count_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose, "read a data set's shape");
  return static_cast<std::size_t>(
      require(H5Sget_simple_extent_npoints(space.get()), "count a data set's elements"));
}

}  // namespace

void write_attribute(hid_t object, const std::string& name, const Attribute& value) {
  if (const auto* integer = std::get_if<std::int64_t>(&value)) {
    write_attribute_raw(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, {}, integer);
  } else if (const auto* real = std::get_if<double>(&value)) {
    write_attribute_raw(object, name, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, {}, real);
  } else {
    const char* const text = std::get<std::string>(value).c_str();
    const Handle type = string_type();
    write_attribute_raw(object, name, type.get(), type.get(), {}, &text);
  }
}

void write_attribute(hid_t object, const std::string& name, std::span<const std::int8_t> values) {
  write_attribute_raw(object, name, H5T_STD_I8LE, H5T_NATIVE_INT8, {values.size()}, values.data());
}

void write_attribute(hid_t object, const std::string& name, std::span<const std::int64_t> values) {
  write_attribute_raw(object, name, H5T_STD_I64LE, H5T_NATIVE_INT64, {values.size()}, values.data());
}

bool has_attribute(hid_t object, const std::string& name) {
  return require(H5Aexists(object, name.c_str()), fmt::format("look for attribute '{}'", name)) > 0;
}

Attribute read_attribute(hid_t object, const std::string& name) {
  const Handle attribute = open_attribute(object, name);
  const Handle type(H5Aget_type(attribute.get()), H5Tclose,
                    fmt::format("read the type of attribute '{}'", name));
  const auto doing = fmt::format("read attribute '{}'", name);
  switch (H5Tget_class(type.get())) {
    case H5T_INTEGER: {
      std::int64_t value = 0;
      require(H5Aread(attribute.get(), H5T_NATIVE_INT64, &value), doing);
      return value;
    }
    case H5T_FLOAT: {
      double value = 0;
      require(H5Aread(attribute.get(), H5T_NATIVE_DOUBLE, &value), doing);
      return value;
    }
    case H5T_STRING: {
      if (H5Tis_variable_str(type.get()) <= 0) break;
      char* text = nullptr;
      require(H5Aread(attribute.get(), type.get(), static_cast<void*>(&text)), doing);
      std::string value = text != nullptr ? text : "";
      H5free_memory(text);
      return value;
    }
    default:
      break;
  }
  throw Hdf5Error(fmt::format("attribute '{}' has a type that sparkmpi does not write", name));
}

std::vector<std::int64_t> read_integers_attribute(hid_t object, const std::string& name) {
  const Handle attribute = open_attribute(object, name);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose, "read an attribute's shape");
  std::vector<std::int64_t> values(static_cast<std::size_t>(
      require(H5Sget_simple_extent_npoints(space.get()), "count an attribute's elements")));
  require(H5Aread(attribute.get(), H5T_NATIVE_INT64, values.data()),
          fmt::format("read attribute '{}'", name));
  return values;
}

Attributes read_attributes(hid_t object) {
  Attributes attributes;
  constexpr std::array<std::string_view, 6> kOfScales = {
      "CLASS", "NAME", "REFERENCE_LIST", "DIMENSION_LIST", "DIMENSION_LABELS", "_Netcdf4Dimid"};
  H5O_info_t info;
  require(H5Oget_info(object, &info), "count attributes");
  for (hsize_t i = 0; i < info.num_attrs; ++i) {
    const Handle attribute(
        H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT), H5Aclose,
        "open an attribute");
    const auto length =
        static_cast<std::size_t>(require(H5Aget_name(attribute.get(), 0, nullptr), "name an attribute"));
    std::string name(length + 1, '\0');
    require(H5Aget_name(attribute.get(), name.size(), name.data()), "name an attribute");
    name.resize(length);
    if (std::ranges::find(kOfScales, name) == kOfScales.end())
      attributes[name] = read_attribute(object, name);
  }
  return attributes;
}

Handle write(hid_t parent, const std::string& name, const Shape& shape, std::span<const double> values) {
  return write_raw(parent, name, shape, H5T_IEEE_F64LE, H5T_NATIVE_DOUBLE, sizeof(double), values.data());
}

Handle write(hid_t parent, const std::string& name, const Shape& shape,
             std::span<const std::int64_t> values) {
  return write_raw(parent, name, shape, H5T_STD_I64LE, H5T_NATIVE_INT64, sizeof(std::int64_t), values.data());
}

Handle write(hid_t parent, const std::string& name, const Shape& shape, std::span<const std::int8_t> values) {
  return write_raw(parent, name, shape, H5T_STD_I8LE, H5T_NATIVE_INT8, 1, values.data());
}

Handle write(hid_t parent, const std::string& name, const Shape& shape, std::span<const std::string> values) {
  std::vector<const char*> texts;
  texts.reserve(values.size());
  for (const std::string& value : values) texts.push_back(value.c_str());
  const Handle type = string_type();
  return write_raw(parent, name, shape, type.get(), type.get(), 0, texts.data());
}

Handle open_dataset(hid_t parent, const std::string& name) {
  return {H5Dopen2(parent, name.c_str(), H5P_DEFAULT), H5Dclose, fmt::format("open data set '{}'", name)};
}

std::optional<Handle> open_if_dataset(hid_t parent, const std::string& name) {
  Handle object(H5Oopen(parent, name.c_str(), H5P_DEFAULT), H5Oclose, fmt::format("open '{}'", name));
  if (H5Iget_type(object.get()) != H5I_DATASET) return std::nullopt;
  return object;
}

Shape shape_of(hid_t dataset) {
  const Handle space(H5Dget_space(dataset), H5Sclose, "read a data set's shape");
  Shape shape(static_cast<std::size_t>(require(H5Sget_simple_extent_ndims(space.get()), "count dimensions")));
  if (!shape.empty())
    require(H5Sget_simple_extent_dims(space.get(), shape.data(), nullptr), "read a data set's shape");
  return shape;
}

std::vector<double> read_doubles(hid_t dataset) {
  std::vector<double> values(count_of(dataset));
  if (!values.empty()) {
    require(H5Dread(dataset, H5T_NATIVE_DOUBLE, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
            "read a data set of numbers");
  }
  return values;
}

std::vector<std::int64_t> read_integers(hid_t dataset) {
  std::vector<std::int64_t> values(count_of(dataset));
  if (!values.empty()) {
    require(H5Dread(dataset, H5T_NATIVE_INT64, H5S_ALL, H5S_ALL, H5P_DEFAULT, values.data()),
            "read a data set of integers");
  }
  return values;
}

std::vector<std::string> read_strings(hid_t dataset) {
  std::vector<char*> texts(count_of(dataset));
  std::vector<std::string> values;
  if (texts.empty()) return values;
  const Handle type(H5Dget_type(dataset), H5Tclose, "read a data set's type");
  if (H5Tis_variable_str(type.get()) <= 0)
    throw Hdf5Error("a data set of strings has a type that sparkmpi does not write");
  const Handle space(H5Dget_space(dataset), H5Sclose, "read a data set's shape");
  const Handle transfer = transfer_of(texts.size());
  require(H5Dread(dataset, type.get(), H5S_ALL, H5S_ALL, transfer.get(), static_cast<void*>(texts.data())),
          "read a data set of strings");
  for (const char* text : texts) values.emplace_back(text != nullptr ? text : "");
  require(H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, static_cast<void*>(texts.data())),
          "free strings");
  return values;
}

bool holds_strings(hid_t dataset) {
  const Handle type(H5Dget_type(dataset), H5Tclose, "read a data set's type");
  return H5Tget_class(type.get()) == H5T_STRING;
}

std::optional<hobj_ref_t> scale_of(hid_t dataset, unsigned dimension) {
  const char* const list = "DIMENSION_LIST";
  if (!has_attribute(dataset, list)) return std::nullopt;
  const Handle attribute = open_attribute(dataset, list);
  const Handle space(H5Aget_space(attribute.get()), H5Sclose, "read an attribute's shape");
  const Handle type(H5Aget_type(attribute.get()), H5Tclose, "read the type of an attribute");
  if (H5Tget_class(type.get()) != H5T_VLEN)
    throw Hdf5Error("a list of dimension scales has a type that sparkmpi does not write");
  std::vector<hvl_t> references(static_cast<std::size_t>(
      require(H5Sget_simple_extent_npoints(space.get()), "count an attribute's elements")));
  require(H5Aread(attribute.get(), type.get(), references.data()), "read a list of dimension scales");
  std::optional<hobj_ref_t> scale;
  if (dimension < references.size() && references[dimension].len > 0)
    scale = *static_cast<const hobj_ref_t*>(references[dimension].p);
  require(H5Dvlen_reclaim(type.get(), space.get(), H5P_DEFAULT, references.data()), "free references");
  return scale;
}

std::string scale_name(hid_t file, hobj_ref_t scale) {
  const Handle dataset(H5Rdereference2(file, H5P_DEFAULT, H5R_OBJECT, &scale), H5Dclose,
                       "open a dimension scale");
  std::array<char, 256> text{};
  require(static_cast<hssize_t>(H5DSget_scale_name(dataset.get(), text.data(), text.size())),
          "name a dimension scale");
  return text.data();
}

std::vector<std::string> children(hid_t group) {
  std::vector<std::string> names;
  const auto keep = [](hid_t, const char* name, const H5L_info_t*, void* into) -> herr_t {
    static_cast<std::vector<std::string>*>(into)->emplace_back(name);
    return 0;
  };
  hsize_t from = 0;
  if (H5Literate(group, H5_INDEX_CRT_ORDER, H5_ITER_INC, &from, keep, &names) < 0) {
    names.clear();
    from = 0;
    require(H5Literate(group, H5_INDEX_NAME, H5_ITER_INC, &from, keep, &names), "list a group");
  }
  return names;
}

void make_scale(const Handle& dataset, const std::string& name) {
  require(H5DSset_scale(dataset.get(), name.c_str()), fmt::format("make '{}' a dimension scale", name));
}

void attach_scales(const Handle& dataset, std::span<const Handle* const> scales) {
  for (std::size_t i = 0; i < scales.size(); ++i) {
    require(H5DSattach_scale(dataset.get(), scales[i]->get(), static_cast<unsigned>(i)),
            "attach a dimension scale");
  }
}

}  // namespace sparkmpi::results::h5
