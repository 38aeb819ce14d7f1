#!/usr/bin/env bash
# Native, chroot and a container (runc) on the GPUs of this machine, in one command: each has to see the GPU and give results; then their
# figures are compared. Needs root, runc and an MPI; no image, no network, no docker or podman.
#
#   tests/gpu/environments.sh [-t SECONDS] [-b BUILD] [-o OUT] [PLAN]
#
# Default: 300 s of launchers/studies/gpu-environments.ini, the program of build/default, results in ./gpu-environments. A plan of the
# host device tries the script where no GPU is. Started again it goes on where it stopped. OUT/environments.tar.gz holds all that is worth
# keeping. Exit status 1: an environment does not work, a trial failed, or a result is of another environment or device than planned.
set -u
seconds=300 out=gpu-environments
# shellcheck source=tests/gpu/study_options.sh
source "$(dirname "$0")/study_options.sh"
plan=${1:-$root/launchers/studies/gpu-environments.ini}

device=$(sed -n 's/^[a-z]* *= .*--device \([a-z]*\).*/\1/p' "$plan" | head -n 1)
printf '== would it work here?\n'
"$sparkmpi" doctor | tee "$out/doctor.txt" || true

printf '\n== does each environment start?\n'
timeout --kill-after=10 $((end - SECONDS)) "$sparkmpi" study "$plan" -o "$out/study" --try 2>&1 | tee "$out/try.txt"
[ "${PIPESTATUS[0]}" -eq 0 ] || failed=1

printf '\n== what the doctor says in each\n'
for environment in chroot runc; do
  case $environment in
    chroot) inside=("$sparkmpi" rootfs enter "$out/study/rootfs" -- "$sparkmpi" doctor) ;;
    runc) inside=("$sparkmpi" rootfs run "$out/study/rootfs" -- "$sparkmpi" doctor) ;;
  esac
  printf '%s\n' "-- $environment"
  timeout 30 "${inside[@]}" 2>&1 | tee "$out/doctor-$environment.txt" | grep -E 'environment|GPU|cuda:|libcuda|driver|NVML|cuBLAS|NCCL'
done

printf '\n== study\n'
timeout --kill-after=20 $((end > SECONDS + 1 ? end - SECONDS : 1)) "$sparkmpi" study "$plan" -o "$out/study" 2>&1 | tee "$out/study.log"
case ${PIPESTATUS[0]} in
  0) ;;
  124 | 137 | 143) echo "environments.sh: stopped after $seconds s; what follows holds what was done by then" ;;
  *) failed=1 ;;
esac

# Every result says where it was planned to run, where its ranks found themselves, and what they drove.
printf '\n== planned and found\n'
results=$out/study/results
# A machine that is a container itself is "native" to whoever starts there.
here=$("$sparkmpi" list environments --format csv | awk -F, '$2 ~ /^"?yes/ { print $1 }')
shopt -s nullglob
for result in "$results"/*.h5; do
  planned=$(basename "$result" .h5 | cut -d- -f3)
  expected=$planned
  [ "$planned" != native ] || expected=$here
  found=$("$sparkmpi" show "$result" | awk -v want="${device:-cuda}" '
    /^sparkmpi .*, environment / { environment = $NF }
    /^rank  *host/ { table = 1; next }
    table && !NF { table = 0 }
    table { ranks++; if (index($4, want) == 1) right++ }
    END { print environment, (ranks > 0 && ranks == right ? want : "another device") }')
  printf '%s: planned in %s on %s, found in %s\n' "$(basename "$result")" "$planned" "${device:-cuda}" "$found"
  [ "$found" = "$expected ${device:-cuda}" ] || echo "WRONG: $(basename "$result")"
done | tee "$out/found.txt"
if [ ! -s "$out/found.txt" ] || grep -q '^WRONG' "$out/found.txt"; then failed=1; fi

printf '\n== compared\n'
"$sparkmpi" compare "$results" --by environment 2>&1 | tee "$out/compare.txt"
[ "${PIPESTATUS[0]}" -eq 0 ] || failed=1
for environment in native chroot runc; do
  charge=("$results"/*-"$environment"-charge.h5)
  [ ${#charge[@]} -gt 0 ] || continue
  printf '\n== who is charged, %s\n' "$environment"
  "$sparkmpi" show "${charge[0]}" 2>&1 | tee "$out/charge-$environment.txt"
done
# The results, the logs and the exact commands; not the root file system.
(cd "$out" && find . \( -path ./study/rootfs -o -path ./environments.tar.gz \) -prune -o -type f -print0 |
  tar --null -czf environments.tar.gz -T -)
printf '\nresults: %s\n' "$out/environments.tar.gz"
exit $failed
