#!/usr/bin/env bash
# mpirun with a host file over two hosts that are network, UTS, IPC and mount namespaces of this machine: one file, ranks on the right
# nodes; natively, and with each rank in a container of its own (./run-tests.sh --full). Then one of the hosts gets another MPI: `hostfile`
# and `doctor` have to name it.
#
#   two_hosts.sh PATH_OF_SPARKMPI PYTHON_WITH_H5PY        needs root; exit 77 (skipped) where namespaces are forbidden
set -euo pipefail
export OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

# on_host HOST WORD…: runs it there. /sys stays the machine's (ip netns exec would mount one without cgroups).
if [ "${1:-}" = --on ]; then
  host=$2
  shift 2
  # shellcheck disable=SC2016  # the inner shell's
  exec nsenter --net="/run/netns/$host" unshare --uts --ipc --mount -- sh -c '
    host=$1; shift
    hostname "$host" && mount --bind "/etc/netns/$host/hosts" /etc/hosts || exit 1
    if [ -e "/etc/netns/$host/libmpi" ]; then mount --bind "/etc/netns/$host/libmpi" "$(cat "/etc/netns/$host/libmpi.place")" || exit 1; fi
    exec "$@"' sh "$host" "$@"
fi
if [ "${1:-}" = --rsh ]; then # what mpirun and hostfile start instead of ssh: HOST COMMAND…
  host=$2
  shift 2
  exec "$0" --on "$host" sh -c "$*"
fi

sparkmpi=$(realpath "$1")
python=$2
[ "$(id -u)" -eq 0 ] || { echo "skipped: network namespaces need root"; exit 77; }
mountpoint -q / || { echo "skipped: / is no mount point (a chroot), so no mount namespace can be made"; exit 77; }
a=spark-a-$$ b=spark-b-$$
scratch=$(mktemp -d)
cleanup() {
  ip netns del "$a" 2>/dev/null || true
  ip netns del "$b" 2>/dev/null || true
  rm -rf "$scratch"
}
trap cleanup EXIT
ip netns add "$a" 2>/dev/null || { echo "skipped: network namespaces are not allowed here"; exit 77; }
ip netns add "$b"
ip link add "va$$" netns "$a" type veth peer name "vb$$" netns "$b" || { echo "skipped: veth pairs are not allowed here"; exit 77; }
ip -n "$a" addr add 10.77.0.1/24 dev "va$$"
ip -n "$b" addr add 10.77.0.2/24 dev "vb$$"
for host in "$a" "$b"; do ip -n "$host" link set lo up; done
ip -n "$a" link set "va$$" up
ip -n "$b" link set "vb$$" up
# Names resolve inside the namespaces through ip-netns's own /etc.
for host in "$a" "$b"; do
  mkdir -p "/etc/netns/$host"
  printf '127.0.0.1 localhost\n10.77.0.1 %s\n10.77.0.2 %s\n' "$a" "$b" >"/etc/netns/$host/hosts"
done
trap 'cleanup; rm -rf "/etc/netns/$a" "/etc/netns/$b"' EXIT
printf '%s slots=2\n%s slots=2\n' "$a" "$b" >"$scratch/hosts"
printf '#!/bin/sh\nexec "%s" --rsh "$@"\n' "$(realpath "$0")" >"$scratch/rsh"
chmod +x "$scratch/rsh"

here=$(realpath "$0")
over_network=(--mca btl "tcp,self" --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24)

# in_file RESULT ENVIRONMENT: four ranks in that environment, two on each host.
in_file() {
  "$python" - "$1" "$a" "$b" "$2" <<'PYTHON'
import sys
import h5py
with h5py.File(sys.argv[1]) as file:
    ranks = file["ranks"]
    texts = [[text.decode() for text in ranks[name][:]] for name in ("host", "environment")]
    found = (*texts, list(ranks["node"][:]), list(ranks["local_rank"][:]), int(file["provenance"].attrs["nodes"]))
    samples = file["kernels/0000_stream/read_bytes_per_s"].shape[0]
expected = ([sys.argv[2]] * 2 + [sys.argv[3]] * 2, [sys.argv[4]] * 4, [0, 0, 1, 1], [0, 1, 0, 1], 2)
print("hosts, environments, nodes, local ranks, number of nodes:", found)
sys.exit(0 if found == expected and samples == 4 else f"expected {expected} and samples of 4 ranks, found {samples}")
PYTHON
}

"$here" --on "$a" timeout 120 mpirun --hostfile "$scratch/hosts" --mca plm_rsh_agent "$scratch/rsh" "${over_network[@]}" --oversubscribe -np 4 \
  "$sparkmpi" stream --footprint 64K --operation read -r 5 -q -o "$scratch/run.h5"
in_file "$scratch/run.h5" "$("$sparkmpi" list environments --format csv | awk -F, '$2 ~ /^"?yes/ { print $1 }')"

if [ "${SPARKMPI_TEST_FULL:-}" = 1 ]; then
  "$sparkmpi" rootfs create "$scratch/root" --without-cuda
  # Without CAP_SYS_RESOURCE a limit can't be raised, and podman's own default raises one.
  printf '[containers]\ndefault_ulimits = []\n[engine]\nruntime = "runc"\n' >"$scratch/containers.conf"
  printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$scratch" "$scratch" >"$scratch/storage.conf"
  export CONTAINERS_CONF=$scratch/containers.conf CONTAINERS_STORAGE_CONF=$scratch/storage.conf
  words=()
  for word in --mca plm_rsh_agent "$scratch/rsh" "${over_network[@]}" -x CONTAINERS_CONF -x CONTAINERS_STORAGE_CONF; do
    words+=("--launcher-option=$word")
  done
  mkdir "$scratch/results"
  for environment in podman runc; do
    command -v "$environment" >/dev/null || { echo "not run in $environment: it is not installed"; continue; }
    (cd "$scratch/results" && "$here" --on "$a" timeout 120 "$sparkmpi" launch "$environment" -np 4 --oversubscribe --hostfile "$scratch/hosts" \
      "${words[@]}" -O rootfs="$scratch/root" -- stream --footprint 64K --operation read -r 5 -q -o "$environment.h5")
    in_file "$scratch/results/$environment.h5" "$environment"
  done
else
  echo "not run in containers: part of ./run-tests.sh --full"
fi

# Alike: both hosts answer alike, and nothing is said.
said=$("$here" --on "$a" "$sparkmpi" hostfile --rsh "$scratch/rsh" "$scratch/hosts" 2>&1 >/dev/null) || { echo "hosts that are alike: $said"; exit 1; }
[ -z "$said" ] || { echo "hosts that are alike: $said"; exit 1; }

# The second host gets a libmpi that says to be of another release: the same file with its version's text changed.
place=$(realpath "$(ldd "$sparkmpi" | awk '$1 ~ /^libmpi\.so/ { print $3 }')")
version=$(mpirun --version | sed -n '1s/.*) //p')
other=99.${version%.*}
sed 's/Open MPI v%d\.%d\.%d/Open MPI v99.%d.%d/g' "$place" >"/etc/netns/$b/libmpi"
printf '%s' "$place" >"/etc/netns/$b/libmpi.place"
status=0
said=$("$here" --on "$a" "$sparkmpi" hostfile --rsh "$scratch/rsh" "$scratch/hosts" 2>&1 >/dev/null) || status=$?
echo "hostfile: exit $status: $said"
case $status,$said in
  1,*"$b: the MPI is 'Open MPI v$other"*"on $a 'Open MPI v$version"*) ;;
  *) echo "hostfile does not name the other MPI"; exit 1 ;;
esac
status=0
said=$("$here" --on "$b" "$sparkmpi" doctor) || status=$?
echo "doctor on $b: exit $status: $(grep mpirun <<<"$said" | head -n 1)"
if [ $status -ne 1 ] || ! grep -q "^fault *mpirun *mpirun is Open MPI $version, the library is Open MPI $other" <<<"$said"; then
  echo "doctor does not name the other MPI: $said"
  exit 1
fi
! "$here" --on "$a" "$sparkmpi" doctor | grep -q '^fault *mpirun' || { echo "doctor finds the same on the host that is in order"; exit 1; }
