// What several nodes would talk through.

#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>

#include <algorithm>
#include <filesystem>

#include "launchers/doctor/checks.hpp"
#include "launchers/doctor/library.hpp"

namespace sparkmpi::launchers::doctor {
namespace {

namespace fs = std::filesystem;

/// Interfaces with an address that are up, without the loopback.
std::vector<std::string> interfaces_up() {
  std::vector<std::string> names;
  ifaddrs* list = nullptr;
  if (getifaddrs(&list) != 0) return names;
  for (const ifaddrs* item = list; item != nullptr; item = item->ifa_next) {
    const bool addressed = item->ifa_addr != nullptr &&
                           (item->ifa_addr->sa_family == AF_INET || item->ifa_addr->sa_family == AF_INET6);
    if (!addressed || (item->ifa_flags & IFF_UP) == 0 || (item->ifa_flags & IFF_LOOPBACK) != 0) continue;
    if (std::ranges::find(names, item->ifa_name) == names.end()) names.emplace_back(item->ifa_name);
  }
  freeifaddrs(list);
  return names;
}

std::vector<std::string> rdma_devices() {
  std::vector<std::string> names;
  std::error_code failed;
  for (const fs::directory_entry& entry : fs::directory_iterator("/sys/class/infiniband", failed))
    names.push_back(entry.path().filename().string());
  std::ranges::sort(names);
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace

Finding judge_transport(const std::vector<std::string>& interfaces, const std::vector<std::string>& rdma,
                        bool ucx) {
  if (!rdma.empty() && ucx)
    return {Level::good, "several nodes", fmt::format("RDMA by UCX over {}", joined(rdma)), ""};
  if (!rdma.empty())
    return {Level::warning, "several nodes",
            fmt::format("{} could do RDMA, and libucp.so.0 can't be loaded: TCP is used", joined(rdma)),
            "install UCX (libucx0) and an MPI with it"};
  if (interfaces.empty())
    return {Level::warning, "several nodes", "no network but the loopback: this node only",
            "in a container: -O network=host"};
  return {Level::warning, "several nodes", fmt::format("TCP over {}: no RDMA device", joined(interfaces)),
          "fine for one node; name the interface with --mca btl_tcp_if_include when there are several"};
}

Findings check_network() {
  const Library ucx("libucp.so.0");
  Findings findings;
  if (ucx.loaded()) {
    findings.push_back({Level::good, "UCX", ucx.path(), ""});
  } else {
    findings.push_back({Level::warning, "UCX", ucx.reason(), "only needed for RDMA between nodes"});
  }
  findings.push_back(judge_transport(interfaces_up(), rdma_devices(), ucx.loaded()));
  return findings;
}

}  // namespace sparkmpi::launchers::doctor
