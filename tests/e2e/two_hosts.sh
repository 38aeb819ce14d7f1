#!/usr/bin/env bash
# mpirun with a host file over two hosts that are network and UTS namespaces of this machine: one file, ranks on the right nodes.
#
#   two_hosts.sh PATH_OF_SPARKMPI PYTHON_WITH_H5PY        needs root; exit 77 (skipped) where namespaces are forbidden
set -euo pipefail

if [ "${1:-}" = --rsh ]; then # what mpirun starts instead of ssh: HOST COMMAND…
  host=$2
  shift 2
  exec ip netns exec "$host" unshare --uts --ipc -- sh -c "hostname $host; exec sh -c \"\$0\"" "$*"
fi

sparkmpi=$(realpath "$1")
python=$2
[ "$(id -u)" -eq 0 ] || { echo "skipped: network namespaces need root"; exit 77; }
mountpoint -q / || { echo "skipped: / is no mount point (a chroot), so ip netns exec cannot work"; exit 77; }
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

ip netns exec "$a" unshare --uts -- sh -c "hostname $a; exec \"\$@\"" sh \
  timeout 120 mpirun --hostfile "$scratch/hosts" --mca plm_rsh_agent "$scratch/rsh" --mca btl tcp,self \
  --mca btl_tcp_if_include 10.77.0.0/24 --mca oob_tcp_if_include 10.77.0.0/24 --oversubscribe -np 4 \
  "$sparkmpi" stream --footprint 64K --operation read -r 5 -q -o "$scratch/run.h5"

"$python" - "$scratch/run.h5" "$a" "$b" <<'PYTHON'
import sys
import h5py
with h5py.File(sys.argv[1]) as file:
    ranks = file["ranks"]
    hosts = [name.decode() for name in ranks["host"][:]]
    found = (hosts, list(ranks["node"][:]), list(ranks["local_rank"][:]), int(file["provenance"].attrs["nodes"]))
    samples = file["kernels/0000_stream/read_bytes_per_s"].shape[0]
expected = ([sys.argv[2]] * 2 + [sys.argv[3]] * 2, [0, 0, 1, 1], [0, 1, 0, 1], 2)
print("hosts, nodes, local ranks, number of nodes:", found)
sys.exit(0 if found == expected and samples == 4 else f"expected {expected} and samples of 4 ranks, found {samples}")
PYTHON
