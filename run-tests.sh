#!/usr/bin/env bash
# From a fresh clone to every test run: installs what is missing, builds everything, runs ctest.
#
#   ./run-tests.sh [--full] [ARGUMENTS FOR CTEST …]      e.g. ./run-tests.sh -L unit      ./run-tests.sh -R stream
#
# --full: installs podman, systemd-nspawn, bubblewrap, Slurm, munge and (on Debian) Chromium as well and runs the tests that need them and root;
#         no system configuration is edited. Without it those tests are listed as skipped.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")"
# shellcheck source=setup/packages.sh
. setup/packages.sh

case "${1:-}" in -h | --help) sed -n '2,7s/^# \{0,1\}//p' "$0"; exit 0 ;; esac
full=()
if [ "${1:-}" = --full ]; then
  shift
  full=("${full_packages[@]}")
  export SPARKMPI_TEST_FULL=1
fi

say "[1/4] Packages"
ensure_packages "${build_packages[@]}" "${test_packages[@]}" "${full[@]}"
require_cmake

say "[2/4] Python packages for the tests (build/test-venv)"
python=build/test-venv/bin/python
if ! cmp -s tests/requirements.txt build/test-venv/requirements.txt; then
  python3 -m venv build/test-venv || fail "python3 -m venv failed; on Debian and Ubuntu install python3-venv"
  "$python" -m pip install --quiet --disable-pip-version-check -r tests/requirements.txt ||
    fail "pip could not install tests/requirements.txt; the tests need PyPI once"
  cp tests/requirements.txt build/test-venv/requirements.txt
fi
export SPARKMPI_TEST_PYTHON=$PWD/$python

say "[3/4] Build (build/default)"
# GPU code is built for the GPUs that are here; without one for one architecture, to see that it compiles.
architectures=$(gpu_architectures)
build_tree build/default/run-tests.log -DSPARKMPI_TESTS=ON -DSPARKMPI_CUDA=AUTO "-DSPARKMPI_CUDA_ARCHITECTURES=${architectures:-90-real}" --

say "[4/4] Tests"
allow_mpi_as_root
status=0
ctest --preset default -j "$(nproc)" "$@" || status=$?
# ctest names the skipped tests; why they were skipped stands in its log.
awk '/ Testing: / { sub(/^.* Testing: /, ""); name = $0 } /^skipped: / { print "Skipped: " name ": " substr($0, 10) }' \
  build/default/Testing/Temporary/LastTest.log || true
exit "$status"
