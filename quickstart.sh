#!/usr/bin/env bash
# From a fresh clone to a result file: installs what is missing, builds, runs the default suite, says where the file is.
#
#   ./quickstart.sh [--np N] [ARGUMENTS FOR SPARKMPI …]      default: 2 ranks, the default suite
#
# Example:  ./quickstart.sh --np 2 stream --footprint 64M,256M
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=setup/packages.sh
. setup/packages.sh

ranks=2
case "${1:-}" in
  -h | --help) sed -n '2,6s/^# \{0,1\}//p' "$0"; exit 0 ;;
  --np) [[ "${2:-}" =~ ^[1-9][0-9]*$ ]] || fail "--np needs a number of ranks, 1 or more"; ranks=$2; shift 2 ;;
esac

say "[1/3] Packages"
ensure_packages "${build_packages[@]}"
require_cmake

say "[2/3] Build (build/default; a few minutes the first time)"
# GPU code is built for the GPUs that are here. A build for every architecture: cmake --preset release.
architectures=$(gpu_architectures)
if [ -n "$architectures" ]; then cuda=(-DSPARKMPI_CUDA=AUTO "-DSPARKMPI_CUDA_ARCHITECTURES=$architectures"); else cuda=(-DSPARKMPI_CUDA=OFF); fi
build_tree build/default/quickstart.log "${cuda[@]}" -- sparkmpi

say "[3/3] mpirun -np $ranks sparkmpi $*"
allow_mpi_as_root
output=()
case " $* " in *" -o "* | *" --output"* | *" -h "* | *" --help "*) ;; *) output=(-o "sparkmpi-quickstart-$(date +%Y%m%dT%H%M%S).h5") ;; esac
# --oversubscribe: a machine with fewer cores than ranks still runs, and the file records the binding.
# odls_base_sigkill_timeout: Open MPI 4 waits so long before it passes Ctrl-C on to the ranks, and again before it kills them:
# time to commit what they have measured.
exec mpirun --oversubscribe --mca odls_base_sigkill_timeout 4 -np "$ranks" \
  build/default/bin/sparkmpi "$@" "${output[@]}"
