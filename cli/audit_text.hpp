#pragma once
// An audit for a terminal, and as JSON.

#include "analysis/audit.hpp"
#include "cli/terminal.hpp"

namespace sparkmpi::cli {

void print_audit(const Terminal& terminal, const analysis::AuditReport& report);
/// {"launches", "level", "tests", "findings": […], "checks": […]}
std::string audit_json(const analysis::AuditReport& report);

}  // namespace sparkmpi::cli
