#pragma once
// Shared objects as the dynamic loader sees them: asked for by name and let go again.

#include <string>
#include <vector>

namespace sparkmpi::launchers::doctor {

class Library {
 public:
  explicit Library(const std::string& name);
  ~Library();
  Library(const Library&) = delete;             ///< owns a handle
  Library& operator=(const Library&) = delete;  ///< owns a handle

  bool loaded() const { return handle_ != nullptr; }
  /// Where the loader found it; empty when it did not.
  const std::string& path() const { return path_; }
  /// The loader's word when it did not.
  const std::string& reason() const { return reason_; }
  /// Null when the library lacks it.
  template <class Function>
  Function function(const char* name) const {
    return reinterpret_cast<Function>(symbol(name));
  }

 private:
  void* symbol(const char* name) const;
  void* handle_ = nullptr;
  std::string path_, reason_;
};

/// Paths of all objects that this process has loaded.
std::vector<std::string> loaded_objects();

}  // namespace sparkmpi::launchers::doctor
