#pragma once
// Records of a CSV file (RFC 4180).

#include <istream>
#include <string>
#include <vector>

namespace sparkmpi::analysis {

class CsvReader {
 public:
  explicit CsvReader(std::istream& in) : in_(in) {}
  /// The next record's fields into `fields`; false at the end. Quoted fields may hold commas, quotes and line
  /// breaks.
  bool next(std::vector<std::string>& fields);
  std::size_t line() const { return line_; }  ///< where the last record ended, from 1

 private:
  std::istream& in_;
  std::string text_;
  std::size_t line_ = 0;
};

}  // namespace sparkmpi::analysis
