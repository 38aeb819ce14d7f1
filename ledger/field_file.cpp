#include "ledger/field_file.hpp"

#include <fcntl.h>
#include <unistd.h>

#include <cctype>
#include <cerrno>
#include <charconv>
#include <cstdint>
#include <fstream>
#include <limits>
#include <sstream>
#include <utility>

namespace sparkmpi::ledger {
namespace {

Answer answer_of(int error) {
  switch (error) {
    case ENOENT:
    case ENOTDIR:
    case ENODEV:
    case ESRCH:
      return Answer::absent;
    case EACCES:
    case EPERM:
      return Answer::not_permitted;
    default:
      return Answer::not_supported;  // EOPNOTSUPP of PSI switched off, EINVAL of a limit that has no meaning
                                     // here
  }
}

}  // namespace

KernelFile::KernelFile(std::filesystem::path path) : path_(std::move(path)), buffer_(4096) {}

KernelFile::~KernelFile() {
  if (descriptor_ >= 0) close(descriptor_);
}

KernelFile::KernelFile(KernelFile&& other) noexcept
    : path_(std::move(other.path_)),
      descriptor_(std::exchange(other.descriptor_, -1)),
      buffer_(std::move(other.buffer_)) {}

Answer KernelFile::read(std::string_view& content) {
  content = {};
  if (descriptor_ < 0) descriptor_ = open(path_.c_str(), O_RDONLY | O_CLOEXEC);
  if (descriptor_ < 0) return answer_of(errno);
  std::size_t used = 0;
  while (true) {
    if (used == buffer_.size()) buffer_.resize(buffer_.size() * 2);
    const ssize_t got =
        pread(descriptor_, buffer_.data() + used, buffer_.size() - used, static_cast<off_t>(used));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) {
      // A cgroup that was removed, say: a later read tries to open it anew.
      const int error = errno;
      close(std::exchange(descriptor_, -1));
      return answer_of(error);
    }
    if (got == 0) break;
    used += static_cast<std::size_t>(got);
  }
  content = {buffer_.data(), used};
  return Answer::value;
}

std::optional<double> leading_number(std::string_view text) {
  while (!text.empty() && std::isspace(static_cast<unsigned char>(text.front())) != 0) text.remove_prefix(1);
  std::uint64_t number = 0;
  const auto [end, status] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (status != std::errc{}) return std::nullopt;
  return static_cast<double>(number);
}

std::string_view next_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

Reading make_reading(std::string name, std::string_view unit, Answer answer, double value) {
  return {std::move(name), std::string(unit), answer,
          answer == Answer::value ? value : std::numeric_limits<double>::quiet_NaN()};
}

std::optional<std::string> read_text(const std::filesystem::path& path) {
  std::ifstream file(path);
  if (!file) return std::nullopt;
  std::ostringstream content;
  content << file.rdbuf();
  return std::move(content).str();
}

std::string first_line(const std::filesystem::path& path) {
  const std::optional<std::string> text = read_text(path);
  if (!text) return {};
  std::string_view rest = *text;
  std::string_view line = next_line(rest);
  while (!line.empty() && std::isspace(static_cast<unsigned char>(line.back())) != 0) line.remove_suffix(1);
  return std::string(line);
}

}  // namespace sparkmpi::ledger
