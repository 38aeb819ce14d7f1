#include "kernels/pressure/read_probe.hpp"

#include "kernels/host/cpu_features.hpp"
#include "kernels/host/thread_team.hpp"
#include "kernels/stream/host/arrays.hpp"
#include "kernels/stream/host/loops.hpp"

namespace sparkmpi::kernels::pressure {
namespace {

class HostReadProbe final : public ReadProbe {
 public:
  HostReadProbe(const std::vector<int>& cpus, std::size_t bytes)
      : team_(cpus),
        arrays_(team_, stream::kOperations.front(), bytes),
        loops_(stream::loops_for(host::best_simd(), false)) {
    static_assert(stream::kOperations.front().operation == stream::Operation::read);
  }
  void read() override { arrays_.run(loops_); }
  double bytes() const override { return arrays_.bytes(); }
  void verify() const override { arrays_.verify(); }

 private:
  host::ThreadTeam team_;
  stream::Arrays arrays_;
  stream::Loops loops_;
};

}  // namespace

std::unique_ptr<ReadProbe> make_host_read_probe(const std::vector<int>& cpus, std::size_t bytes) {
  return std::make_unique<HostReadProbe>(cpus, bytes);
}

}  // namespace sparkmpi::kernels::pressure
