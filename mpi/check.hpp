#pragma once
// MPI return codes as exceptions. Our communicators have MPI_ERRORS_RETURN, so every call goes through here.

#include <string_view>

#include "base/error.hpp"

namespace sparkmpi::mpi {

class MpiError : public Error {
 public:
  using Error::Error;
};

/// Throws MpiError naming host, rank, the call and MPI's own text unless `code` is MPI_SUCCESS.
void check(int code, std::string_view call);

/// For destructors: prints the same line instead of throwing it.
void check_noexcept(int code, std::string_view call) noexcept;

/// This machine's name as the kernel gives it.
std::string host_name();

}  // namespace sparkmpi::mpi
