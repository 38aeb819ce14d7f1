#!/usr/bin/env bash
# From a fresh clone to a result file: installs what is missing, builds, runs the default suite, says where the file is.
#
#   ./quickstart.sh [--np N] [ARGUMENTS FOR SPARKMPI …]   default: 2 ranks, the default suite
#   ./quickstart.sh --study [PLAN] [-o DIR]               native, chroot, cgroup and podman in 5 blocks, unattended, then compared;
#                                                         environments that don't work here are left out; goes on where it stopped
#
# Example:  ./quickstart.sh --np 2 stream --footprint 64M,256M
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=setup/packages.sh
. setup/packages.sh

ranks=2 plan='' directory='' packages=("${build_packages[@]}")
case "${1:-}" in
  -h | --help) sed -n '2,8s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --np) [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--np needs a number of ranks, 1 or more"; ranks=$2; shift 2 ;;
  --study)
    shift
    plan=launchers/studies/quick.ini
    if [ $# -gt 0 ] && [ "$1" != -o ]; then plan=$1; shift; fi
    if [ $# -eq 2 ] && [ "$1" = -o ]; then directory=$2; shift 2; fi
    [ $# -eq 0 ] || fail "--study takes a plan and -o DIR"
    [ -r "$plan" ] || fail "the plan $plan can't be read"
    # Where nobody may install it, podman is one of those that are left out.
    if grep -q '^[^#]*= *podman' "$plan" && can_install; then packages+=(podman runc); fi
    ;;
esac

say "[1/3] Packages"
ensure_packages "${packages[@]}"
require_cmake

say "[2/3] Build (build/default; a few minutes the first time)"
# GPU code is built for the GPUs that are here. A build for every architecture: cmake --preset release.
architectures=$(gpu_architectures)
if [ -n "$architectures" ]; then cuda=(-DSPARKMPI_CUDA=AUTO "-DSPARKMPI_CUDA_ARCHITECTURES=$architectures"); else cuda=(-DSPARKMPI_CUDA=OFF); fi
build_tree build/default/quickstart.log "${cuda[@]}" -- sparkmpi
sparkmpi=build/default/bin/sparkmpi

# try_study PLAN DIR: the names of the plan's environments that do not start here; says why.
try_study() {
  local name verdict
  while IFS=$'\t' read -r name verdict; do
    [ "$verdict" = works ] || { say "  $name does not work here: $verdict" >&2; printf '%s\n' "$name"; }
  done < <("$sparkmpi" study "$1" -o "$2" --try)
}

# run_study PLAN DIR: the plan with those of its environments that work here, then what it says.
run_study() {
  local plan=$1 directory=$2 limits=$PWD/build/quickstart/containers.conf missing name
  mkdir -p build/quickstart
  [ ! -e "$limits" ] || export CONTAINERS_CONF=$limits
  if [ -e "$directory/plan.ini" ]; then
    plan=$directory/plan.ini
  else
    say "Trying the environments of $plan"
    mapfile -t missing < <(try_study "$plan" "$directory")
    if [ "${#missing[@]}" -gt 0 ] && [ -z "${CONTAINERS_CONF:-}" ] && command -v podman >/dev/null; then
      # podman raises limits by default, which takes CAP_SYS_RESOURCE; a configuration of this study's own leaves them alone.
      printf '[containers]\ndefault_ulimits = []\n' >"$limits"
      export CONTAINERS_CONF=$limits
      say "Trying again without podman's own limits (CONTAINERS_CONF=$limits)"
      mapfile -t missing < <(try_study "$plan" "$directory")
    fi
    cp "$plan" build/quickstart/plan.ini
    for name in "${missing[@]}"; do sed -i "/^\[environments\]/,/^\[/{/^$name *=/d}" build/quickstart/plan.ini; done
    cmp -s "$plan" build/quickstart/plan.ini || { say "Left out: ${missing[*]}"; plan=build/quickstart/plan.ini; }
  fi
  say "$sparkmpi study $plan -o $directory"
  "$sparkmpi" study "$plan" -o "$directory" >build/quickstart/next || { cat build/quickstart/next; return 1; }
  say "$(head -n 1 build/quickstart/next)"
  # The first line is the comparison; the words in it are quoted for a shell.
  eval "$(head -n 1 build/quickstart/next)"
  say "More:"
  tail -n +2 build/quickstart/next
}

allow_mpi_as_root
if [ -n "$plan" ]; then
  say "[3/3] Study"
  run_study "$plan" "${directory:-study-$(basename "$plan" .ini)}"
  exit
fi

say "[3/3] mpirun -np $ranks sparkmpi $*"
output=()
case " $* " in *" -o "* | *" --output"* | *" -h "* | *" --help "*) ;; *) output=(-o "sparkmpi-quickstart-$(date +%Y%m%dT%H%M%S).h5") ;; esac
# --oversubscribe: a machine with fewer cores than ranks still runs, and the file records the binding.
# odls_base_sigkill_timeout: Open MPI 4 waits so long before it passes Ctrl-C on to the ranks, and again before it kills them:
# time to commit what they have measured.
mpirun --oversubscribe --mca odls_base_sigkill_timeout 4 -np "$ranks" "$sparkmpi" "$@" "${output[@]}"
say "Next: ./quickstart.sh --study    what native, chroot, cgroup and podman cost here: 40 short trials, then their comparison"
