#include "mpi/world.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <utility>

#include "ledger/environment.hpp"
#include "mpi/check.hpp"
#include "mpi/launcher_check.hpp"
#include "mpi/rank_group.hpp"

namespace sparkmpi::mpi {
namespace {

constexpr std::size_t kHostBytes = 256;
constexpr std::size_t kPiece = std::size_t{1} << 30;
constexpr int kGatherTag = 1;

MPI_Comm duplicate(MPI_Comm communicator) {
  MPI_Comm copy = MPI_COMM_NULL;
  check(MPI_Comm_dup(communicator, &copy), "MPI_Comm_dup");
  check(MPI_Comm_set_errhandler(copy, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  return copy;
}

std::vector<std::vector<std::uint8_t>> gather_to(MPI_Comm communicator, int root,
                                                 std::span<const std::uint8_t> mine) {
  int rank = 0, size = 0;
  check(MPI_Comm_rank(communicator, &rank), "MPI_Comm_rank");
  check(MPI_Comm_size(communicator, &size), "MPI_Comm_size");
  const std::uint64_t bytes = mine.size();
  std::vector<std::uint64_t> sizes(rank == root ? static_cast<std::size_t>(size) : 0);
  check(MPI_Gather(&bytes, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, root, communicator), "MPI_Gather");
  const auto pieces = [](std::size_t total, auto&& move) {
    for (std::size_t at = 0; at < total; at += kPiece)
      move(at, static_cast<int>(std::min(kPiece, total - at)));
  };
  if (rank != root) {
    pieces(mine.size(), [&](std::size_t at, int count) {
      check(MPI_Send(mine.data() + at, count, MPI_BYTE, root, kGatherTag, communicator), "MPI_Send");
    });
    return {};
  }
  std::vector<std::vector<std::uint8_t>> all(static_cast<std::size_t>(size));
  for (int source = 0; source < size; ++source) {
    std::vector<std::uint8_t>& into = all[static_cast<std::size_t>(source)];
    if (source == root) {
      into.assign(mine.begin(), mine.end());
      continue;
    }
    into.resize(sizes[static_cast<std::size_t>(source)]);
    pieces(into.size(), [&](std::size_t at, int count) {
      check(MPI_Recv(into.data() + at, count, MPI_BYTE, source, kGatherTag, communicator, MPI_STATUS_IGNORE),
            "MPI_Recv");
    });
  }
  return all;
}

}  // namespace

class World::Session {
 public:
  Session(int& argc, char**& argv) {
    int provided = 0;
    check(MPI_Init_thread(&argc, &argv, MPI_THREAD_FUNNELED, &provided), "MPI_Init_thread");
    if (provided < MPI_THREAD_FUNNELED) {
      throw Error(
          "this MPI library was built without thread support (MPI_THREAD_FUNNELED); install one that has it");
    }
    check(MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  }
  ~Session() {
    if (MPI_Finalize() != MPI_SUCCESS) std::fputs("sparkmpi: MPI_Finalize failed\n", stderr);
  }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;
};

World::World(int& argc, char**& argv) : session_(std::make_unique<Session>(argc, argv)) {
  check(MPI_Comm_size(MPI_COMM_WORLD, &size_), "MPI_Comm_size");
  if (const std::string mismatch = launcher_mismatch(ledger::process_environment, size_, library_version());
      !mismatch.empty()) {
    throw Error(mismatch);
  }
  world_ = duplicate(MPI_COMM_WORLD);
  phases_ = duplicate(MPI_COMM_WORLD);
  check(MPI_Comm_rank(world_, &rank_), "MPI_Comm_rank");
  check(MPI_Comm_split_type(world_, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local_),
        "MPI_Comm_split_type");
  check(MPI_Comm_set_errhandler(local_, MPI_ERRORS_RETURN), "MPI_Comm_set_errhandler");
  check(MPI_Comm_rank(local_, &local_rank_), "MPI_Comm_rank");
  check(MPI_Comm_size(local_, &local_size_), "MPI_Comm_size");

  // A node's index is the position of its first rank among all first ranks.
  int first_rank = rank_;
  check(MPI_Bcast(&first_rank, 1, MPI_INT, 0, local_), "MPI_Bcast");
  std::vector<int> firsts(static_cast<std::size_t>(size_));
  check(MPI_Allgather(&first_rank, 1, MPI_INT, firsts.data(), 1, MPI_INT, world_), "MPI_Allgather");
  std::ranges::sort(firsts);
  const auto repeated = std::ranges::unique(firsts);
  firsts.erase(repeated.begin(), repeated.end());
  node_count_ = static_cast<int>(firsts.size());
  node_ = static_cast<int>(std::ranges::lower_bound(firsts, first_rank) - firsts.begin());

  std::array<char, kHostBytes> host{};
  gethostname(host.data(), host.size() - 1);
  host_ = host.data();
  std::vector<char> hosts(kHostBytes * static_cast<std::size_t>(size_));
  check(MPI_Allgather(host.data(), kHostBytes, MPI_CHAR, hosts.data(), kHostBytes, MPI_CHAR, world_),
        "MPI_Allgather");
  for (std::size_t at = 0; at < hosts.size(); at += kHostBytes) hosts_.emplace_back(&hosts[at]);

  barrier_ =
      std::make_unique<PhaseBarrier>(phases_, WatchdogOptions{}, [this](int rank) { return describe(rank); });
}

World::~World() {
  barrier_.reset();
  for (MPI_Comm* communicator : {&phases_, &local_, &world_}) {
    if (*communicator != MPI_COMM_NULL && MPI_Comm_free(communicator) != MPI_SUCCESS) {
      std::fputs("sparkmpi: MPI_Comm_free failed\n", stderr);
    }
  }
}

std::string World::describe(int rank) const {
  return fmt::format("rank {} ({})", rank, hosts_.at(static_cast<std::size_t>(rank)));
}

std::string World::library_version() {
  std::array<char, MPI_MAX_LIBRARY_VERSION_STRING> text{};
  int length = 0;
  check(MPI_Get_library_version(text.data(), &length), "MPI_Get_library_version");
  return std::string(text.data(), std::strcspn(text.data(), "\n"));
}

PhaseResult World::end_section(std::string_view phase, bool vote, bool failed) {
  if (early_end_) return *std::exchange(early_end_, std::nullopt);
  return barrier_->arrive({phase, vote, true, failed}, interruption_);
}

bool World::all_agree(std::string_view phase, bool mine) {
  const PhaseResult result = barrier_->arrive({phase, mine, false, false}, interruption_);
  if (result.ended) {
    early_end_ = result;
    if (result.failed_rank < 0)
      throw kernels::PeerInterrupted("stopped, because another rank was asked to stop");
    throw kernels::PeerFailure(fmt::format("stopped, because {} failed", describe(result.failed_rank)));
  }
  return result.all_agree;
}

std::unique_ptr<kernels::Group> World::group(int size) {
  if (size == 1) return std::make_unique<kernels::SoloGroup>();
  return make_rank_group(world_, size);
}

void World::barrier(std::string_view phase) {
  all_agree(phase, true);
}

std::vector<std::vector<std::uint8_t>> World::gather(std::span<const std::uint8_t> mine) {
  return gather_to(world_, 0, mine);
}

std::vector<std::vector<std::uint8_t>> World::gather_on_node(std::span<const std::uint8_t> mine) {
  std::vector<std::vector<std::uint8_t>> all;
  for (int root = 0; root < local_size_; ++root) {
    auto gathered = gather_to(local_, root, mine);
    if (root == local_rank_) all = std::move(gathered);
  }
  return all;
}

std::string World::broadcast(const std::string& text, int root) {
  std::uint64_t length = text.size();
  check(MPI_Bcast(&length, 1, MPI_UINT64_T, root, world_), "MPI_Bcast");
  if (length >= kPiece) throw Error("a broadcast text is limited to 1 GiB");
  std::string copy = rank_ == root ? text : std::string(length, '\0');
  check(MPI_Bcast(copy.data(), static_cast<int>(length), MPI_CHAR, root, world_), "MPI_Bcast");
  return copy;
}

void World::together(std::string_view phase, const std::function<void()>& step) {
  // The first character says which kind of error it is.
  std::string failure;
  try {
    step();
  } catch (const UsageError& error) {
    failure = std::string("U") + error.what();
  } catch (const std::exception& error) {
    failure = std::string("E") + error.what();
  }
  const PhaseResult result = end_section(phase, true, !failure.empty());
  if (result.failed_rank < 0) return;
  const std::string all = broadcast(failure, result.failed_rank);
  if (all.front() == 'U') throw UsageError(all.substr(1));
  throw Error(size_ == 1 || result.failed_rank == 0 ? all.substr(1)
                                                    : describe(result.failed_rank) + ": " + all.substr(1));
}

void World::abort(int status) {
  std::fflush(nullptr);
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

}  // namespace sparkmpi::mpi
