#!/usr/bin/env python3
"""pressure inside a 1 GiB memory cgroup: finds the limit within 16 MiB for every allocator, survives the OOM kill of its child each time,
and loses no earlier sample. Skipped (77) where no cgroup can be made.

    pressure_cgroup.py --sparkmpi PATH [--times 20]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

from launch import Checks, command, environment, options_of
from memory_cgroup import MemoryCgroup, Unavailable

MIB = 1 << 20
LIMIT = 1024 * MIB
NEAR = 16 * MIB
ALLOCATORS = ["malloc", "mmap_huge", "posix_shm"]


def run_inside(group, words, scratch):
    return subprocess.run(list(map(str, words)), cwd=scratch, env=environment(), capture_output=True, text=True, timeout=300,
                          preexec_fn=group.enter)


def text(dataset, rank):
    return [value.decode() for value in dataset[rank]]


def executable(pid):
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return None  # it has ended


def finds_the_limit(program, group, scratch, checks):
    words = ["pressure", "--until-killed", "--allocator", ",".join(ALLOCATORS), "--read-footprint", "8M", "--read-time", "0.002", "-o", "limit.h5"]
    result = run_inside(group, [program, *words], scratch)
    checks.expect(result.returncode == 0, f"exit {result.returncode}: {result.stderr}")
    checks.expect("oom_kill" in result.stdout, f"the summary does not say by what it was refused: {result.stdout}")
    with h5py.File(scratch / "limit.h5") as file:
        checks.expect(len(file["kernels"]) == len(ALLOCATORS), f"{list(file['kernels'])}")
        for name, kernel in file["kernels"].items():
            what = f"{name} ({kernel.attrs['parameter.allocator']})"
            granted, refused = kernel["granted_bytes"][0, 0], kernel["refused_bytes"][0, 0]
            charged, at_start = kernel["cgroup_at_granted_bytes"][0, 0], kernel["cgroup_current_bytes"][0, 0]
            checks.expect(kernel["facts/refused_by"][0] == b"oom_kill", f"{what}: refused by {kernel['facts/refused_by'][0]}")
            checks.expect(0 < refused - granted <= NEAR, f"{what}: {granted / MIB} granted and {refused / MIB} MiB refused")
            checks.expect(LIMIT - NEAR <= charged <= LIMIT, f"{what}: the cgroup held {charged / MIB} MiB at the largest size granted")
            checks.expect(granted < LIMIT and granted + at_start >= LIMIT - NEAR, f"{what}: {granted / MIB} MiB granted beside {at_start / MIB}")
            checks.expect(kernel["cgroup_oom_kills"][0, -1] - kernel["cgroup_oom_kills"][0, 0] == kernel["children_lost"][0, 0] > 0,
                          f"{what}: {kernel['children_lost'][0, 0]} children lost, oom_kill {kernel['cgroup_oom_kills'][0]}")
            checks.expect(np.all(kernel["cgroup_limit_bytes"][0] == LIMIT), f"{what}: limit {kernel['cgroup_limit_bytes'][0]}")
            resident, held = kernel["child_resident_bytes"][0], kernel["held_bytes"][0]
            grown = kernel["grown_bytes"][0] > 0
            checks.expect(np.all(resident[grown] >= held[grown]), f"{what}: less was resident than held")
            print(f"{what}: {granted / MIB:.0f} MiB granted, {refused / MIB:.0f} refused, {charged / MIB:.1f} of 1024 charged, "
                  f"{kernel['children_lost'][0, 0]:.0f} children killed")


def survives(program, group, scratch, checks, number):
    output = f"{number}.h5"
    words = ["pressure", "--until-killed", "--step", "300M", "--resolution", "300M", "--read-footprint", "8M", "--read-time", "0.002", "-q", "-o", output]
    result = run_inside(group, [program, *words], scratch)
    checks.expect(result.returncode == 0, f"run {number}: exit {result.returncode}: {result.stderr}")
    with h5py.File(scratch / output) as file:
        kernel = file["kernels/0000_pressure"]
        held, causes = kernel["held_bytes"][0] / MIB, text(kernel["refused_by"], 0)
        checks.expect(list(held) == [0, 300, 600, 900, 0], f"run {number}: held {held}")
        checks.expect(causes == ["", "", "", "", "oom_kill"], f"run {number}: refused by {causes}")
        checks.expect(set(kernel["read_beside_bytes"][0] / MIB) == {0, 300, 600, 900}, f"run {number}: reads are missing")
        checks.expect(np.all(np.isfinite(kernel["touch_time_s"][0, 1:4])), f"run {number}: times are missing")
        checks.expect(kernel["children_lost"][0, 0] == 1 and bool(kernel.attrs["complete"]), f"run {number}: not one child lost")
    # Open MPI's own daemon of a lone rank may still be ending.
    left = [pid for pid in group.pids() if executable(pid) == program]
    checks.expect(not left, f"run {number}: processes were left behind: {left}")


def side_by_side(program, group, scratch, checks):
    """Two ranks that grow at once share what there is: both end, and what both held fits the limit."""
    words = ["pressure", "--until-killed", "--mode", "together", "--step", "128M", "--resolution", "64M", "--read-footprint", "8M", "--read-time",
             "0.002", "-o", "together.h5"]
    result = run_inside(group, command(program, 2, words), scratch)
    checks.expect(result.returncode == 0, f"together: exit {result.returncode}: {result.stderr}")
    with h5py.File(scratch / "together.h5") as file:
        kernel = file["kernels/0000_pressure"]
        granted = kernel["granted_bytes"][:, 0]
        checks.expect(np.all(granted > 0) and kernel["children_lost"][:].sum() > 0, f"together: granted {granted}")
        checks.expect(set(kernel["facts/refused_by"][:]) == {b"oom_kill"}, f"together: refused by {kernel['facts/refused_by'][:]}")
        print(f"together: {granted / MIB} MiB granted")


def main():
    parser = options_of(__doc__)
    parser.add_argument("--times", type=int, default=20)
    arguments = parser.parse_args()
    program = os.path.realpath(arguments.sparkmpi)
    checks = Checks()
    try:
        with tempfile.TemporaryDirectory() as name, MemoryCgroup(LIMIT) as group:
            scratch = Path(name)
            finds_the_limit(program, group, scratch, checks)
            for number in range(arguments.times):
                survives(program, group, scratch, checks, number)
            side_by_side(program, group, scratch, checks)
    except Unavailable as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    checks.finish()


if __name__ == "__main__":
    main()
