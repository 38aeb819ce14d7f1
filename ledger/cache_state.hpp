#pragma once
// Bringing the page cache into a declared state before something is measured, and looking whether it is
// there.

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "ledger/injected_file.hpp"
#include "ledger/ledger.hpp"

namespace sparkmpi::ledger {

enum class CacheMode : std::uint8_t {
  keep,        ///< as it is found
  drop,        ///< nothing that can be dropped
  warm_model,  ///< every byte of the model's files
  inject,      ///< a number of bytes of a file that nobody needs
};

struct CacheRequest {
  CacheMode mode = CacheMode::keep;
  std::uint64_t inject_bytes = 0;
  std::string text = "keep";  ///< as typed
};

/// "keep", "drop", "warm-model", "inject=8G". Throws UsageError, naming --cache, for anything else.
CacheRequest parse_cache_request(std::string_view text);

/// What was done and what was seen after it.
struct CacheOutcome {
  std::string method;     ///< "none", "drop_caches", "posix_fadvise", "read"
  bool verified = false;  ///< the state that was asked for was seen
  std::string note;  ///< one line: why it is not verified, or what the state does not cover; may be empty
  double files_bytes = 0;  ///< of the files that the state is about
  double resident_before = 0,
         resident_after = 0;  ///< their bytes in the page cache; NaN: hidden from this user
};

/// Asks the kernel to drop everything (sync, /proc/sys/vm/drop_caches), and where this user may not, lets go
/// of `model` and `libraries` (posix_fadvise). The first is verified by why_not_dropped() and by `model`
/// being gone, the second by `model` being gone alone. Throws nothing but what the files' disappearance
/// throws (Error).
CacheOutcome drop_cache(std::span<const std::filesystem::path> model,
                        std::span<const std::filesystem::path> libraries, const FileRoot& root = {});

/// Reads the files through the page cache; verified when every byte is there. Throws Error.
CacheOutcome warm_files(std::span<const std::filesystem::path> model, const std::function<bool()>& stop);

/// Reads the file; verified when every byte is there. Throws Error.
CacheOutcome inject_cache(const InjectedFile& file, const std::function<bool()>& stop);

/// Why readings of meminfo contradict a dropped cache; empty when they don't. After a drop the cache holds
/// little but what is shared memory, mapped, dirty or locked: at most 1 % of memory, or 64 MiB, of anything
/// else.
std::string why_not_dropped(std::span<const Reading> meminfo);

}  // namespace sparkmpi::ledger
