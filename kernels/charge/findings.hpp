#pragma once
// What a charge matrix means, in words and in the cells that a person looks at.

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/charge/matrix.hpp"

namespace sparkmpi::kernels::charge {

/// A ledger that claims to say how much memory is used, and its short name for a table's head.
struct Claim {
  std::string ledger, heading;
};

/// The claims that this matrix has, the most telling first: the process's RSS, MemFree, MemAvailable, each
/// level of the cgroup, cuda.used, NVML's. Those that do not exist here are left out.
std::vector<Claim> claims_of(const Matrix& matrix);

/// How many pairs of an allocator (all of its memory there) and a claim have this verdict.
std::size_t count_claims(const Matrix& matrix, Verdict verdict);

/// "1.00 ±0.01" at the step where all of the allocator's memory is there; "n/s" when the ledger says that it
/// does not support the question, "denied" when it is not permitted, "-" without a number.
std::string cell_text(const Matrix& matrix, std::string_view allocator, std::string_view ledger);

/// "malloc: counted by RSS, MemFree, cgroup; not by cuda".
std::string allocator_verdict(const Matrix& matrix, std::string_view allocator,
                              std::span<const Claim> claims);

/// For each level of the cgroup one line: "cgroup.current counts once: malloc, mmap; not: o_direct".
std::vector<std::string> cgroup_verdicts(const Matrix& matrix);

/// The answer to "does this environment double-count memory?", one sentence.
std::string double_counting(const Matrix& matrix);

/// What else the numbers say: charges that stay after free and exit, host memory that a cgroup does not
/// count, page cache in cudaMemGetInfo's figure, a control too noisy to hold.
std::vector<std::string> remarks(const Matrix& matrix);

}  // namespace sparkmpi::kernels::charge
