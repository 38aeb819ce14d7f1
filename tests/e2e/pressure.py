#!/usr/bin/env python3
"""pressure where nothing is limited: ceilings, floors, return codes, ranks in turns and together, refused command lines, and no child that
outlives its parent. Never takes more than 256 MiB.

    pressure.py --sparkmpi PATH
"""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from launch import Checks, environment, options_of, run, run_alone

MIB = 1 << 20
QUICK = ["--read-footprint", "1M", "--read-time", "0.002"]
# Some two hundred steps of which each reads for a while: long enough to be interrupted.
LONG = ["pressure", "--ceiling", "256M", "--step", "2M", "--resolution", "2M", "--read-footprint", "1M", "--read-time", "0.2"]


def available():
    return next(int(line.split()[1]) * 1024 for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))


def climbs(program, scratch, checks):
    output = scratch / "ceiling.h5"
    result = run_alone(program, ["pressure", "--allocator", "malloc,mmap,mmap_huge", "--ceiling", "67M", "--step", "16M", *QUICK, "-o", output], scratch)
    checks.expect(result.returncode == 0, f"ceiling: exit {result.returncode}: {result.stderr}")
    checks.expect("67 MiB granted (ceiling: " in result.stdout, f"ceiling: the summary says {result.stdout}")
    with h5py.File(output) as file:
        for name, kernel in file["kernels"].items():
            checks.expect(list(kernel["held_bytes"][0] / MIB) == [0, 16, 32, 48, 64, 67], f"{name}: held {kernel['held_bytes'][0]}")
            checks.expect(np.isnan(kernel["refused_bytes"][0, 0]) and kernel["children_lost"][0, 0] == 0, f"{name}: something was refused")
            checks.expect(np.all(kernel["read_bytes_per_s"][0] > 0), f"{name}: read rates {kernel['read_bytes_per_s'][0]}")
            resident = kernel["child_resident_bytes"][0, 1:]
            checks.expect(np.all(resident >= kernel["held_bytes"][0, 1:]), f"{name}: held but not resident: {resident}")


def stops_at_the_floor(program, scratch, checks):
    """The floor is set a little below what is available now, whatever others on the machine take meanwhile."""
    output, floor = scratch / "floor.h5", available() - 200 * MIB
    if floor < 1 << 30:
        print("the floor was not tried: less than 1.2 GiB are available")
        return
    result = run_alone(program, ["pressure", "--floor", str(floor), "--ceiling", "256M", "--step", "32M", *QUICK, "-o", output], scratch)
    checks.expect(result.returncode == 0, f"floor: exit {result.returncode}: {result.stderr}")
    with h5py.File(output) as file:
        kernel = file["kernels/0000_pressure"]
        cause = kernel["facts/refused_by"][0].decode()
        # Others may give memory back just then, so that the ceiling comes first.
        checks.expect(cause in ("floor", "ceiling"), f"floor: refused by {cause}")
        checks.expect(cause == "ceiling" or kernel["granted_bytes"][0, 0] < 256 * MIB, f"floor: {kernel['granted_bytes'][0, 0]} granted")
        checks.expect(kernel["children_lost"][0, 0] == 0, "floor: a child was lost")


def empty_pool(program, scratch, checks):
    pool = next((line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("HugePages_Total")), None)
    if pool is None or int(pool.split()[1]) != 0:
        print(f"return codes were not tried: the pool of huge pages is not empty ({pool})")
        return
    output = scratch / "hugetlb.h5"
    result = run_alone(program, ["pressure", "--allocator", "hugetlb", "--ceiling", "64M", *QUICK, "-o", output], scratch)
    checks.expect(result.returncode == 0, f"hugetlb: exit {result.returncode}: {result.stderr}")
    with h5py.File(output) as file:
        kernel = file["kernels/0000_pressure"]
        checks.expect(kernel["facts/refused_by"][0] == b"return_code", f"hugetlb: refused by {kernel['facts/refused_by'][0]}")
        checks.expect(b"Cannot allocate memory" in kernel["facts/refusal"][0], f"hugetlb: {kernel['facts/refusal'][0]}")
        checks.expect(kernel["granted_bytes"][0, 0] == 0 and kernel["children_lost"][0, 0] == 0, "hugetlb: something was granted or lost")


def ranks_share(program, scratch, checks):
    for mode, each in (("turns", 64), ("together", 32)):
        output = scratch / f"{mode}.h5"
        result = run(program, 2, ["pressure", "--mode", mode, "--ceiling", "64M", "--step", "16M", *QUICK, "-o", output], scratch)
        checks.expect(result.returncode == 0, f"{mode}: exit {result.returncode}: {result.stderr}")
        with h5py.File(output) as file:
            granted = file["kernels/0000_pressure/granted_bytes"][:, 0] / MIB
            checks.expect(list(granted) == [each, each], f"{mode}: granted {granted}")


def refuses_bad_input(program, scratch, checks):
    cases = {
        "mode": (["--mode", "both"], "--mode"),
        "allocator": (["--allocator", "maloc"], "did you mean 'malloc'"),
        "no GPU": (["--device", "host", "--allocator", "cuda_malloc"], "not a GPU"),
        "low floor": (["--floor", "1M"], "--floor"),
        "resolution": (["--step", "4M", "--resolution", "8M"], "--resolution"),
        "ceiling of 0": (["--ceiling", "0"], "--ceiling"),
        "negative time": (["--read-time", "-1"], "--read-time"),
        # Above any limit there may be, the node keeps so much that no cgroup lies below it.
        "until killed": (["--until-killed", "--floor", "1000T"], "--until-killed"),
    }
    for what, (words, text) in cases.items():
        result = run_alone(program, ["pressure", *words, "-q", "-o", f"{what.replace(' ', '-')}.h5"], scratch)
        lines = result.stderr.strip().splitlines()
        checks.expect(result.returncode == 2 and len(lines) == 1 and text in lines[0], f"{what}: exit {result.returncode}, said {result.stderr!r}")
        checks.expect(not (scratch / f"{what.replace(' ', '-')}.h5").exists(), f"{what}: a file was made")
    result = run_alone(program, ["pressure-child", "--allocator", "malloc", "--floor", "1e9", "--parent", "1"], scratch)
    checks.expect(result.returncode == 1 and len(result.stderr.strip().splitlines()) == 1, f"typed sub-command: {result.returncode} {result.stderr!r}")


def children_of(pid):
    children = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == pid and fields[0] != "Z":
            children.append(int(path.parent.name))
    return children


def taker_of(pid):
    """The child that takes the memory, once it is there."""
    for _ in range(400):
        for child in children_of(pid):
            try:
                if b"pressure-child" in Path(f"/proc/{child}/cmdline").read_bytes():
                    return child
            except OSError:
                pass
        time.sleep(0.05)
    return None


def is_gone(pid):
    for _ in range(100):
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except OSError:
            return True
        time.sleep(0.05)
    return False


def ends_cleanly(program, scratch, checks):
    for number in (signal.SIGINT, signal.SIGKILL):
        output = scratch / f"{number.name}.h5"
        process = subprocess.Popen([os.path.abspath(program), *LONG, "-o", str(output)], env=environment(), stdout=subprocess.PIPE,
                                   stderr=subprocess.PIPE, text=True, cwd=scratch, start_new_session=True)
        child = taker_of(process.pid)
        checks.expect(child is not None, f"{number.name}: there is no child")
        time.sleep(1)
        if child is not None and number == signal.SIGINT:
            score = Path(f"/proc/{child}/oom_score_adj").read_text().strip()
            checks.expect(score == "1000", f"the child's oom_score_adj is {score}")
        if number == signal.SIGINT:
            os.killpg(process.pid, number)  # as a terminal's Ctrl-C does: everyone in the group
        else:
            process.kill()
        process.communicate(timeout=60)
        checks.expect(child is None or is_gone(child), f"{number.name}: the child outlived its parent")
        if number != signal.SIGINT:
            continue
        checks.expect(process.returncode == 130, f"Ctrl-C: exit {process.returncode}")
        with h5py.File(output) as file:
            kernel = file["kernels/0000_pressure"]
            checks.expect(kernel["outcome/stop_reason"][0] == b"interrupted" and not kernel.attrs["complete"], "Ctrl-C: not stored as interrupted")
            checks.expect(kernel["held_bytes"].shape[1] > 1 and kernel["granted_bytes"][0, 0] > 0, "Ctrl-C: no samples were kept")


def main():
    arguments = options_of(__doc__).parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        for part in (climbs, stops_at_the_floor, empty_pool, ranks_share, refuses_bad_input, ends_cleanly):
            part(arguments.sparkmpi, Path(name), checks)
    checks.finish()


if __name__ == "__main__":
    main()
