#include "mpi/check.hpp"

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <string>

namespace sparkmpi::mpi {
namespace {

std::string describe(int code, std::string_view call) {
  std::array<char, MPI_MAX_ERROR_STRING> text{};
  int length = 0;
  if (MPI_Error_string(code, text.data(), &length) != MPI_SUCCESS) length = 0;
  int initialized = 0;
  int finalized = 0;
  int rank = -1;
  MPI_Initialized(&initialized);
  MPI_Finalized(&finalized);
  if (initialized != 0 && finalized == 0) MPI_Comm_rank(MPI_COMM_WORLD, &rank);
  return fmt::format("{} failed on rank {} (host {}): {}", call, rank < 0 ? "unknown" : std::to_string(rank),
                     host_name(),
                     length > 0 ? std::string(text.data(), static_cast<std::size_t>(length))
                                : fmt::format("error {}", code));
}

}  // namespace

void check(int code, std::string_view call) {
  if (code != MPI_SUCCESS) throw MpiError(describe(code, call));
}

void check_noexcept(int code, std::string_view call) noexcept {
  if (code == MPI_SUCCESS) return;
  try {
    std::fputs(fmt::format("sparkmpi: {}\n", describe(code, call)).c_str(), stderr);
  } catch (...) {
    std::fputs("sparkmpi: an MPI call failed while cleaning up\n", stderr);
  }
}

std::string host_name() {
  std::array<char, 256> name{};
  if (gethostname(name.data(), name.size() - 1) != 0) return "unknown";
  return name.data();
}

}  // namespace sparkmpi::mpi
