#include "chroot/enter.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>

#include "base/command.hpp"
#include "base/error.hpp"
#include "chroot/gpu_injection.hpp"

namespace sparkmpi::chroot {
namespace {

namespace fs = std::filesystem;

void set_variable(const std::string& name, const std::string& value) {
  if (setenv(name.c_str(), value.c_str(), 1) != 0)
    throw Error(fmt::format("the variable {} can't be set: {}", name, std::strerror(errno)));
}

/// Adds a directory list in front of what the caller has set.
void prepend_variable(const std::string& name, const std::string& value) {
  const char* const before = std::getenv(name.c_str());
  set_variable(name, before == nullptr || *before == '\0' ? value : value + ":" + before);
}

void mount_host_parts(const fs::path& root) {
  for (const char* const directory : {"/proc", "/sys", "/dev", "/tmp"})
    bind_into(root, {directory, directory, false});
  for (const char* const file : {"/etc/resolv.conf", "/etc/hosts"}) {
    std::error_code failed;
    const fs::path source = fs::canonical(file, failed);
    if (!failed) bind_into(root, {source, file, true});
  }
}

}  // namespace

void enter_root(const EnterOptions& options) {
  std::error_code failed;
  const fs::path root = fs::canonical(options.root, failed);
  if (failed || !fs::is_directory(root))
    throw UsageError(
        fmt::format("{} is no directory; sparkmpi rootfs create makes one", options.root.string()));
  const fs::path directory = fs::current_path(failed);
  const Injection injection = options.gpu ? gpu_injection() : Injection{};

  enter_private_namespace();
  bind_into("/", {root, root, false});  // a root has to be a mount point
  mount_host_parts(root);
  for (const Bind& bind : injection.binds) {
    if (fs::exists(bind.source)) bind_into(root, bind);
  }
  for (const Bind& bind : options.binds) bind_into(root, bind);
  change_root(root, directory);

  for (const auto& [name, value] : injection.variables) {
    if (name == "LD_LIBRARY_PATH") {
      prepend_variable(name, value);
    } else {
      set_variable(name, value);
    }
  }
  set_variable("SPARKMPI_ROOTFS", root);
  std::vector<std::string> words = options.argv;
  if (words.empty()) words = {"/bin/sh"};
  const std::vector<char*> argv = exec_words(words);
  execvp(argv.front(), argv.data());
  throw Error(
      fmt::format("{} can't be started in {}: {}", words.front(), root.string(), std::strerror(errno)));
}

}  // namespace sparkmpi::chroot
