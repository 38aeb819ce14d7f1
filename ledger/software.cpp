#include "ledger/software.hpp"

#include <gnu/libc-version.h>
#include <link.h>
#include <sys/utsname.h>

#include <set>
#include <string>

#include "ledger/field_file.hpp"
#include "ledger/nvidia_driver.hpp"

namespace sparkmpi::ledger {
namespace {

std::string os_name(const FileRoot& root) {
  const std::string content = read_text(root / "etc/os-release").value_or("");
  std::string_view text = content;
  while (!text.empty()) {
    std::string_view line = next_line(text);
    constexpr std::string_view kKey = "PRETTY_NAME=";
    if (!line.starts_with(kKey)) continue;
    line.remove_prefix(kKey.size());
    if (line.size() >= 2 && line.front() == '"') line = line.substr(1, line.size() - 2);
    return std::string(line);
  }
  return "unknown";
}

std::string loaded_libraries() {
  std::set<std::string> names;
  dl_iterate_phdr(
      [](dl_phdr_info* info, std::size_t, void* into) {
        if (info->dlpi_name != nullptr && *info->dlpi_name != '\0')
          static_cast<std::set<std::string>*>(into)->insert(info->dlpi_name);
        return 0;
      },
      &names);
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : "\n") + name;
  return text;
}

}  // namespace

Attributes software_facts(const FileRoot& root) {
  Attributes facts;
  facts["os"] = os_name(root);
  utsname system{};
  if (uname(&system) == 0) {
    facts["kernel_release"] = std::string(system.release);
    facts["architecture"] = std::string(system.machine);
  }
  facts["libc"] = std::string("glibc ") + gnu_get_libc_version();
  facts.merge(nvidia_driver_facts(root));
  facts["loaded_libraries"] = loaded_libraries();
  return facts;
}

}  // namespace sparkmpi::ledger
