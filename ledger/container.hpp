#pragma once
// Which kind of environment this process is in: the tests that decide, strongest evidence first.

#include <string>

#include "ledger/environment.hpp"

namespace sparkmpi::ledger {

struct ContainerVerdict {
  std::string name;      ///< as Environment::name
  std::string evidence;  ///< what decided
};

ContainerVerdict detect_container(const FileRoot& root, const Getenv& getenv);

}  // namespace sparkmpi::ledger
