#include "cli/launch_rank.hpp"

#include <cstdlib>
#include <string_view>

namespace sparkmpi::cli {

bool speaks_for_all() {
  for (const char* const variable : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (const char* const rank = std::getenv(variable)) return std::string_view(rank) == "0";
  }
  return true;
}

}  // namespace sparkmpi::cli
