#pragma once
// Kernel files that are read over and over: kept open, parsed line by line, with an answer even when they are
// not there.

#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/reading.hpp"

namespace sparkmpi::ledger {

/// A small file of /proc or /sys. It stays open between reads, so that the sampler costs one pread a file.
class KernelFile {
 public:
  explicit KernelFile(std::filesystem::path path);
  ~KernelFile();
  KernelFile(KernelFile&& other) noexcept;
  KernelFile& operator=(KernelFile&&) = delete;       ///< nobody needs it
  KernelFile(const KernelFile&) = delete;             ///< owns a descriptor
  KernelFile& operator=(const KernelFile&) = delete;  ///< owns a descriptor

  /// The present content; valid until the next read(). Answer::value, or why there is none.
  Answer read(std::string_view& content);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::vector<char> buffer_;
};

/// A whole number at the start of `text` (blanks before it allowed); nothing when there is none or it has
/// more than 2^64 - 1.
std::optional<double> leading_number(std::string_view text);

/// Cuts the next line off `text`.
std::string_view next_line(std::string_view& text);

/// "value", "unit", answer → a Reading; NaN unless it is a value.
Reading make_reading(std::string name, std::string_view unit, Answer answer, double value = 0);

/// The content of a small file, for things read once; nothing when it can't be read.
std::optional<std::string> read_text(const std::filesystem::path& path);

/// The first line, without trailing blanks.
std::string first_line(const std::filesystem::path& path);

}  // namespace sparkmpi::ledger
