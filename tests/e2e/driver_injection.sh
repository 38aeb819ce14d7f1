#!/usr/bin/env bash
# A GPU driver's library reaches a chroot and an OCI container: a stand-in libcuda.so.1, linked as NVIDIA's is with libdl, libpthread and
# librt, lies where only this machine's loader cache knows it (a cache that is bound over the machine's in a private mount namespace).
#
#   driver_injection.sh PATH_OF_SPARKMPI        needs root, a C compiler; exit 77 (skipped) without
set -euo pipefail
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

sparkmpi=$(realpath "$1")
if [ "${2:-}" != --in-namespace ]; then
  [ "$(id -u)" -eq 0 ] || { echo "skipped: mount namespaces need root"; exit 77; }
  if ! command -v cc >/dev/null || [ ! -e /etc/ld.so.cache ]; then echo "skipped: no C compiler, or no loader cache"; exit 77; fi
  unshare --mount true 2>/dev/null || { echo "skipped: mount namespaces are not allowed here"; exit 77; }
  if ldconfig -p | grep -q 'libcuda\.so\.1 '; then echo "skipped: there is a driver here; tests/gpu/environments.sh is the test"; exit 77; fi
  exec unshare --mount "$0" "$sparkmpi" --in-namespace
fi

scratch=$(mktemp -d /var/tmp/sparkmpi-driver-XXXXXX)
trap 'umount /run /etc/ld.so.cache 2>/dev/null || true; rm -rf "$scratch"' EXIT
mkdir -p "$scratch/driver" "$scratch/compatibility"
printf 'int cuDriverGetVersion(int* v) { *v = VERSION; return 0; }\n' >"$scratch/libcuda.c"
olds=()
for old in libdl.so.2 libpthread.so.0 librt.so.1; do olds+=("$(ldconfig -p | awk -v name="$old" '$1 == name { print $NF; exit }')"); done
build() { # FOLDER VERSION
  cc -shared -fPIC "-DVERSION=$2" -o "$scratch/$1/libcuda.so.$2" -Wl,-soname,libcuda.so.1 "$scratch/libcuda.c" -Wl,--no-as-needed "${olds[@]}"
  ln -s "libcuda.so.$2" "$scratch/$1/libcuda.so.1"
}
build driver 13000
build compatibility 12000
# The first folder in the cache is the one that the loader takes.
{ printf '%s\n' "$scratch/driver" "$scratch/compatibility"; cat /etc/ld.so.conf.d/*.conf; } >"$scratch/conf"
ldconfig -X -C "$scratch/cache" -f "$scratch/conf" 2>/dev/null
mount --bind "$scratch/cache" /etc/ld.so.cache

failed=0
"$sparkmpi" rootfs create "$scratch/root" --without-cuda
if find "$scratch/root" -name 'libcuda.so*' | grep .; then echo "FAILED: the driver is in the root"; failed=1; fi
natively=$({ "$sparkmpi" doctor || true; } | sed -n 's/.*supports CUDA \([0-9.]*\).*/\1/p')
expect() { # WHAT COMMAND…: its doctor finds libcuda of the same version as natively
  local what=$1 said
  shift
  said=$("$@" "$sparkmpi" doctor || true)
  grep -E '^[a-z]+ +(libcuda|driver) ' <<<"$said" | sed "s/^/$what: /" || true
  if ! grep -q '^good *libcuda *.*/libcuda\.so\.1$' <<<"$said" || ! grep -q "supports CUDA $natively" <<<"$said"; then
    echo "FAILED: $what: the driver (CUDA $natively) is not found: $said"
    failed=1
  fi
}
expect chroot "$sparkmpi" rootfs enter "$scratch/root" --
if command -v runc >/dev/null; then expect runc "$sparkmpi" rootfs run "$scratch/root" --; else echo "not tried: runc is not installed"; fi

# Without the driver asked for, there is none.
without=$("$sparkmpi" rootfs enter "$scratch/root" --no-gpu -- "$sparkmpi" doctor || true)
if grep -q '^good *libcuda' <<<"$without"; then echo "FAILED: --no-gpu shows the driver"; failed=1; fi

# By a CDI specification, as nvidia-ctk writes it: the full name only, and a hook for the link.
mount -t tmpfs tmpfs /run
mkdir /run/cdi
printf '{"cdiVersion": "0.6.0", "kind": "nvidia.com/gpu", "devices": [], "containerEdits": {"mounts": [{"hostPath": "%s", "containerPath": "%s", "options": ["ro", "bind"]}]}}\n' \
  "$scratch/driver/libcuda.so.13000" "$scratch/driver/libcuda.so.13000" >/run/cdi/nvidia.json
expect "chroot by CDI" "$sparkmpi" rootfs enter "$scratch/root" --
exit $failed
