# Sourced by quickstart.sh and run-tests.sh: which Debian or Ubuntu packages the project needs, and how they get here.
# shellcheck shell=bash disable=SC2034  # the arrays are the sourcing scripts' to use

build_packages=(
  g++ cmake ninja-build pkg-config git ca-certificates
  openmpi-bin libopenmpi-dev
  libhdf5-dev libhwloc-dev libopenblas-dev
  libxxhash-dev libboost-dev libboost-program-options-dev nlohmann-json3-dev libfmt-dev node-d3 libyaml-cpp-dev
)
test_packages=(
  libgtest-dev libgmock-dev hdf5-tools python3 python3-venv python3-pip openssh-client iproute2 procps
)
# What ./run-tests.sh --full needs besides.
full_packages=(podman runc systemd-container bubblewrap slurmctld slurmd slurm-client munge)
# The report is opened in a browser where one is: Ubuntu's package only stands for a snap.
case "$(. /etc/os-release 2>/dev/null && printf '%s' "${ID:-}")" in debian) full_packages+=(chromium) ;; esac

say() { printf '%s\n' "$*"; }
fail() {
  printf '%s: %s\n' "${0##*/}" "$*" >&2
  exit 1
}

# Prints those of the named packages that are not installed, one a line.
missing_packages() {
  local package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || printf '%s\n' "$package"
  done
}

# Whether this user may install packages: root, or by sudo where that asks nothing that nobody answers.
can_install() {
  [ "$(id -u)" -eq 0 ] || { command -v sudo >/dev/null && { [ -t 0 ] || sudo -n true 2>/dev/null; }; }
}

# Installs what is missing of the named packages, saying what; where it can't, says what a person has to install and stops.
ensure_packages() {
  local missing as_root=()
  if ! command -v dpkg-query >/dev/null; then
    say "This is no Debian or Ubuntu: nothing is installed automatically. Needed, in Debian's names: $*"
    return
  fi
  mapfile -t missing < <(missing_packages "$@")
  [ ${#missing[@]} -gt 0 ] || return 0
  can_install || fail "these packages are missing and only root can install them: apt-get install ${missing[*]}"
  [ "$(id -u)" -eq 0 ] || as_root=(sudo)
  say "Installing with apt-get: ${missing[*]}"
  local log
  log=$(mktemp "${TMPDIR:-/tmp}/sparkmpi-apt.XXXXXX")
  "${as_root[@]}" apt-get update >"$log" 2>&1 ||
    fail "apt-get update failed (log: $log); check the network, or install by hand: ${missing[*]}"
  "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" \
    >>"$log" 2>&1 || { tail -n 5 "$log" >&2; fail "apt-get install failed (log: $log); needed: ${missing[*]}"; }
  rm -f "$log"
}

# The build needs CMake 3.25 (Debian 12, Ubuntu 24.04 and later have it).
require_cmake() {
  local version
  version=$(cmake --version 2>/dev/null | sed -n 's/^cmake version \([0-9.]*\).*/\1/p')
  [ -n "$version" ] || fail "cmake is missing; install CMake 3.25 or newer"
  [ "$(printf '%s\n3.25\n' "$version" | sort -V | head -n 1)" = 3.25 ] ||
    fail "CMake $version is too old; 3.25 or newer is needed (pip install cmake, or Kitware's packages)"
}

# Open MPI refuses to start as root unless told; as root in a container or on a throw-away machine that is what is wanted.
allow_mpi_as_root() {
  [ "$(id -u)" -eq 0 ] || return 0
  say "Running as root: Open MPI is told that this is meant (OMPI_ALLOW_RUN_AS_ROOT=1)."
  export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
}

# The architectures of this machine's GPUs as CMake takes them ("90-real;120-real"); nothing without one.
gpu_architectures() {
  command -v nvidia-smi >/dev/null || return 0
  { nvidia-smi --query-gpu=compute_cap --format=csv,noheader 2>/dev/null || true; } |
    sed -n 's/^\([0-9]*\)\.\([0-9]\)$/\1\2-real/p' | sort -u | paste -sd ';'
}

# build_tree LOG CMAKE_ARGS… -- TARGET…: configures the preset `default` and builds; quiet unless it fails.
build_tree() {
  local log=$1 configure=()
  shift
  while [ $# -gt 0 ] && [ "$1" != -- ]; do configure+=("$1"); shift; done
  shift
  mkdir -p "$(dirname "$log")"
  cmake --preset default "${configure[@]}" >"$log" 2>&1 || { tail -n 20 "$log" >&2; fail "configuring failed; log: $log"; }
  local build=(cmake --build --preset default)
  [ $# -eq 0 ] || build+=(--target "$@")
  if [ -t 1 ]; then
    "${build[@]}" || fail "the build failed"
  else
    "${build[@]}" >>"$log" 2>&1 || { tail -n 40 "$log" >&2; fail "the build failed; log: $log"; }
  fi
}
