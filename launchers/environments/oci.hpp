#pragma once
// What docker and podman share: they take the same options for the same things.

#include <array>

#include "launchers/environment.hpp"

namespace sparkmpi::launchers::oci {

inline constexpr std::array<EnvironmentOption, 15> kOptions = {{
    {"image", "image to run: image=docker.io/library/debian:12"},
    {"rootfs", "directory to run instead of an image (podman): rootfs=./root"},
    {"shm-size", "size of /dev/shm: shm-size=16g"},
    {"ipc", "IPC namespace: ipc=host (default: host, so that ranks share memory)"},
    {"network", "network: network=host (default: host)"},
    {"pid", "PID namespace: pid=host (default: host, so that NVML and MPI see the ranks' numbers)"},
    {"cpuset", "cores: cpuset=0-15"},
    {"privileged", "all capabilities and devices", true},
    {"memory", "memory limit: memory=96g"},
    {"cgroup-parent", "parent of the container's cgroup: cgroup-parent=/bench"},
    {"cgroupns", "cgroup namespace: cgroupns=host or private"},
    {"cgroups",
     "podman: cgroups=disabled runs in the caller's own group (by crun; several ranks: --model inside)"},
    {"ulimit", "limit of a resource (needs CAP_SYS_RESOURCE): ulimit=memlock=-1:-1"},
    {"runtime", "OCI runtime: runtime=runc"},
    {"gpu-device", "how GPUs are given: gpu-device=nvidia.com/gpu=all (CDI; default) or gpus for --gpus all"},
}};

/// `TOOL run … IMAGE inner`, removed when it ends. @param tool "docker" or "podman".
Argv enclose(std::string_view tool, const Enclosure& enclosure, const Argv& inner);

}  // namespace sparkmpi::launchers::oci
