#!/usr/bin/env bash
# Builds sparkmpi for 64-bit Arm on an x86-64 Debian or Ubuntu, and runs its unit tests under qemu-user.
#
#   setup/cross-aarch64.sh [SYSROOT]        default: build/sysroot-aarch64 (about 1 GiB, made once)
#
# The sysroot holds the unpacked arm64 packages that the build needs; nothing of the host's package state changes, except
# that the cross compiler and the emulator are installed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
# shellcheck source=setup/packages.sh
. setup/packages.sh

sysroot=$(realpath -m "${1:-build/sysroot-aarch64}")
ensure_packages g++-aarch64-linux-gnu qemu-user-static cmake ninja-build pkg-config
require_cmake

if [ ! -e "$sysroot/.complete" ]; then
  say "Unpacking arm64 packages into $sysroot"
  mkdir -p "$sysroot" "$sysroot.apt"/{lists,archives}/partial
  apt_arm64=(apt-get -q -o APT::Architecture=arm64 -o APT::Architectures=arm64 -o Dir::State::status=/dev/null
    -o "Dir::State::Lists=$sysroot.apt/lists" -o "Dir::Cache::archives=$sysroot.apt/archives" -o "Dir::Cache::pkgcache="
    -o "Dir::Cache::srcpkgcache=" -o Debug::NoLocking=1 -o APT::Sandbox::User=root -o Binary::apt::APT::Keep-Downloaded-Packages=true
    -o DPkg::Post-Invoke= -o APT::Keep-Downloaded-Packages=true -o APT::Update::Post-Invoke= )
  "${apt_arm64[@]}" update >/dev/null
  "${apt_arm64[@]}" install -y --no-install-recommends --download-only \
    libopenmpi-dev libhdf5-dev libhwloc-dev libopenblas-dev libxxhash-dev libboost-dev libboost-program-options-dev nlohmann-json3-dev libfmt-dev libyaml-cpp-dev \
    libgtest-dev libgmock-dev >/dev/null
  for package in "$sysroot.apt"/archives/*.deb; do dpkg-deb -x "$package" "$sysroot"; done
  # BLAS and MPI are chosen by Debian's alternatives, which only a real installation sets up; the build needs four of them.
  lib=$sysroot/usr/lib/aarch64-linux-gnu
  ln -sfn openblas-pthread/libopenblas.so "$lib/libopenblas.so"
  ln -sfn openblas-pthread/libopenblas.so.0 "$lib/libopenblas.so.0"
  ln -sfn ../openblas-pthread/pkgconfig/openblas.pc "$lib/pkgconfig/openblas.pc"
  # Links to absolute paths would lead out of the sysroot.
  find "$sysroot" -type l -lname '/*' -printf '%p %l\n' | while read -r link target; do
    ln -sfn "$(realpath -m --relative-to="$(dirname "$link")" "$sysroot$target")" "$link"
  done
  mkdir -p "$sysroot/by-name"
  ln -sfn ../usr/lib/aarch64-linux-gnu/libyaml-cpp.so "$sysroot/by-name/libyaml-cpp.so"
  touch "$sysroot/.complete"
  rm -rf "$sysroot.apt"
fi

say "Configuring and building build/aarch64"
export SPARKMPI_SYSROOT=$sysroot
lib=$sysroot/usr/lib/aarch64-linux-gnu
cmake -S . -B build/aarch64 -G Ninja -DCMAKE_BUILD_TYPE=RelWithDebInfo -DSPARKMPI_CUDA=OFF \
  -DCMAKE_TOOLCHAIN_FILE=cmake/aarch64-linux-gnu.cmake \
  -DMPI_CXX_COMPILER=MPI_CXX_COMPILER-NOTFOUND \
  -DMPI_CXX_HEADER_DIR="$lib/openmpi/include" -DMPI_CXX_INCLUDE_PATH="$lib/openmpi/include" \
  -DMPI_CXX_LIB_NAMES=mpi -DMPI_mpi_LIBRARY="$lib/openmpi/lib/libmpi.so" \
  -DHDF5_ROOT="$sysroot/usr" -DHDF5_C_INCLUDE_DIR="$sysroot/usr/include/hdf5/serial" \
  -DHDF5_hdf5_LIBRARY_RELEASE="$lib/hdf5/serial/libhdf5.so" -DHDF5_hdf5_hl_LIBRARY_RELEASE="$lib/hdf5/serial/libhdf5_hl.so"
cmake --build build/aarch64

say "Unit tests under qemu-aarch64"
ctest --test-dir build/aarch64 -L unit --output-on-failure -j "$(nproc)"
