#pragma once
// The seven operations of `stream`: what each does to the arrays a, b and c, and the bytes it has to move.

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace sparkmpi::kernels::stream {

enum class Operation : std::uint8_t { read, write, copy, scale, add, triad, dot };

struct OperationInfo {
  Operation operation;
  std::string_view name;
  std::string_view metric;   ///< the metric's name
  std::string_view formula;  ///< of element i
  int arrays_read;           ///< arrays of 8-byte elements read …
  int arrays_written;  ///< … and written; write-allocate traffic is not counted (McCalpin's and BabelStream's
                       ///< convention)
  int flops;  ///< per element
  constexpr std::size_t bytes_per_element() const {
    return static_cast<std::size_t>(arrays_read + arrays_written) * sizeof(double);
  }
};

/// Definitions: McCalpin's STREAM for copy, scale, add, triad; BabelStream for dot; read and write are the
/// one-sided halves.
inline constexpr std::array<OperationInfo, 7> kOperations = {{
    {Operation::read, "read", "read_bytes_per_s", "sum += a[i]", 1, 0, 1},
    {Operation::write, "write", "write_bytes_per_s", "a[i] = s", 0, 1, 0},
    {Operation::copy, "copy", "copy_bytes_per_s", "c[i] = a[i]", 1, 1, 0},
    {Operation::scale, "scale", "scale_bytes_per_s", "b[i] = s * c[i]", 1, 1, 1},
    {Operation::add, "add", "add_bytes_per_s", "c[i] = a[i] + b[i]", 2, 1, 1},
    {Operation::triad, "triad", "triad_bytes_per_s", "a[i] = b[i] + s * c[i]", 2, 1, 2},
    {Operation::dot, "dot", "dot_bytes_per_s", "sum += a[i] * b[i]", 2, 0, 2},
}};

}  // namespace sparkmpi::kernels::stream
