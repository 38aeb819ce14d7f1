#pragma once
// One function a file of this folder.

#include "launchers/environment.hpp"

namespace sparkmpi::launchers {

EnvironmentInfo native();
EnvironmentInfo chroot();
EnvironmentInfo cgroup();
EnvironmentInfo docker();
EnvironmentInfo podman();
EnvironmentInfo runc();
EnvironmentInfo apptainer();
EnvironmentInfo enroot();
EnvironmentInfo nspawn();
EnvironmentInfo bwrap();

}  // namespace sparkmpi::launchers
