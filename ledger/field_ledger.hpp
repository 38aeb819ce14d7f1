#pragma once
// A ledger that is one kernel file of "name value" lines, of which some fields matter.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/field_file.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

/// One field: how the file spells it, how the reading is called, and what a unit of the file is worth.
struct Field {
  std::string_view key;   ///< "MemFree:" or "anon": the line's first word
  std::string_view name;  ///< "MemFree"
  std::string_view unit;  ///< "B", "1"
  double scale = 1;       ///< 1024 for a file in kB
};

/// Reads `fields` out of a file whose lines start with `key value`, where `skip` words may stand before the
/// key ("Node 0 " in the files of NUMA nodes). Fields that the file lacks are Answer::absent.
void read_fields(KernelFile& file, std::span<const Field> fields, std::string_view prefix, int skip,
                 std::vector<Reading>& out);

}  // namespace sparkmpi::ledger
