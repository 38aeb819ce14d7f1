#!/usr/bin/env python3
"""pressure on a GPU: device memory up to CUDA's own refusal, managed memory never beyond what is free, pinned memory up to a ceiling.
Skipped (77) without a GPU.

    pressure_gpu.py --sparkmpi PATH
"""

import sys
import tempfile
from pathlib import Path

import h5py
import numpy as np

from launch import Checks, options_of, run_alone

MIB = 1 << 20


def climb(program, scratch, checks, *words):
    """The stored kernel of a run with these options, opened."""
    output = scratch / f"{'-'.join(words).replace('/', '_')}.h5"
    result = run_alone(program, ["pressure", "--device", "cuda:0", "--read-time", "0.02", *words, "-o", output], scratch)
    print(result.stdout)
    checks.expect(result.returncode == 0, f"{words}: exit {result.returncode}: {result.stderr}")
    return h5py.File(output)["kernels/0000_pressure"] if result.returncode == 0 else None


def describe(kernel):
    return f"{kernel['granted_bytes'][0, 0] / MIB:.0f} MiB granted, by {kernel['facts/refused_by'][0].decode()}: {kernel['facts/refusal'][0].decode()}"


def main():
    arguments = options_of(__doc__).parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        devices = run_alone(arguments.sparkmpi, ["list", "devices", "--format", "json"], scratch)
        if "cuda:0" not in devices.stdout:
            print("skipped: there is no GPU here")
            sys.exit(77)

        device = climb(arguments.sparkmpi, scratch, checks, "--allocator", "cuda_malloc")
        if device is not None:
            free = device["cuda_free_bytes"][0]
            granted = device["granted_bytes"][0, 0]
            checks.expect(device["facts/refused_by"][0] in (b"return_code", b"floor"), describe(device))
            checks.expect(device["children_lost"][0, 0] == 0, f"cuda_malloc lost a child: {describe(device)}")
            if device["facts/refused_by"][0] == b"return_code":
                checks.expect(b"cudaErrorMemoryAllocation" in device["facts/refusal"][0], describe(device))
                checks.expect(0.95 * free[0] < granted <= free[0], f"of {free[0] / MIB:.0f} MiB free: {describe(device)}")
            # What is held is gone from what is free, to within CUDA's own granularity.
            held = device["held_bytes"][0]
            checks.expect(np.all(np.abs(free[0] - free - held) <= 64 * MIB), f"free fell by {(free[0] - free) / MIB} for {held / MIB} MiB")

        managed = climb(arguments.sparkmpi, scratch, checks, "--allocator", "cuda_managed")
        if managed is not None:
            checks.expect(managed["facts/refused_by"][0] in (b"gpu_free", b"floor"), describe(managed))
            checks.expect(managed["granted_bytes"][0, 0] <= managed["cuda_free_bytes"][0, 0], describe(managed))
            checks.expect(managed["children_lost"][0, 0] == 0, describe(managed))

        pinned = climb(arguments.sparkmpi, scratch, checks, "--allocator", "cuda_host", "--ceiling", "1G")
        if pinned is not None:
            checks.expect(pinned["facts/refused_by"][0] in (b"ceiling", b"floor", b"cgroup_floor"), describe(pinned))

        host = climb(arguments.sparkmpi, scratch, checks, "--allocator", "malloc", "--ceiling", "256M")
        if host is not None:
            checks.expect(np.all(np.isfinite(host["cuda_free_bytes"][0])), "the GPU's ledger is not read beside a host allocator")
    checks.finish()


if __name__ == "__main__":
    main()
