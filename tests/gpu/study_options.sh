# shellcheck shell=bash
# What the scripts beside this one begin with; sourced, with `seconds` and `out` at their defaults:
#
#   [-t SECONDS] [-b BUILD] [-o OUT] [PLAN…]
#
# Leaves the plans as "$@", and sets root, seconds, build, out, sparkmpi (the program), end (in $SECONDS) and failed=0; OUT is there.
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
build=$root/build/default
while getopts t:b:o: option; do
  case $option in
    t) seconds=$OPTARG ;;
    b) build=$OPTARG ;;
    o) out=$OPTARG ;;
    *) exit 2 ;;
  esac
done
shift $((OPTIND - 1))
sparkmpi=$build/bin/sparkmpi
[ -x "$sparkmpi" ] || { echo "$(basename "$0"): $sparkmpi is no program; -b names the build folder" >&2; exit 2; }
if [ "$(id -u)" -eq 0 ]; then export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1; fi
mkdir -p "$out"
# The sourcing script reads these.
# shellcheck disable=SC2034
failed=0 end=$((SECONDS + seconds))
