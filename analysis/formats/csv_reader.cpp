#include "analysis/formats/csv_reader.hpp"

namespace sparkmpi::analysis {

bool CsvReader::next(std::vector<std::string>& fields) {
  fields.clear();
  if (!std::getline(in_, text_)) return false;
  ++line_;
  std::string field;
  bool quoted = false;
  for (std::size_t i = 0;; ++i) {
    if (i == text_.size()) {
      std::string more;
      if (!quoted || !std::getline(in_, more)) break;
      ++line_;
      text_ += '\n' + more;
    }
    const char c = text_[i];
    if (quoted) {
      if (c != '"') {
        field += c;
      } else if (i + 1 < text_.size() && text_[i + 1] == '"') {
        field += '"';
        ++i;
      } else {
        quoted = false;
      }
    } else if (c == '"' && field.empty()) {
      quoted = true;
    } else if (c == ',') {
      fields.push_back(std::move(field));
      field.clear();
    } else if (c != '\r') {
      field += c;
    }
  }
  fields.push_back(std::move(field));
  return true;
}

}  // namespace sparkmpi::analysis
