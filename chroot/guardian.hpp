#pragma once
// A process that stands in for its child.

#include <functional>

namespace sparkmpi::chroot {

/// Forks: returns in the child, which has one thread and dies with its guardian. The caller's process stays
/// behind as the guardian: it passes the signals on that a launcher sends, and ends with the child's exit
/// status or by the child's signal. Throws Error when there is no process to be had.
/// @param at_end called in the guardian when the child has ended; throws nothing.
void continue_in_child(const std::function<void()>& at_end = {});

}  // namespace sparkmpi::chroot
