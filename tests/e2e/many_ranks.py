#!/usr/bin/env python3
"""Many oversubscribed ranks with a tiny kernel: all of them are in the file; says what gather and commit cost.

    many_ranks.py --sparkmpi PATH [--ranks 64]
"""

import re
import tempfile
from pathlib import Path

import h5py

from launch import Checks, options_of, run


def main():
    parser = options_of(__doc__)
    parser.add_argument("--ranks", type=int, default=64)
    arguments = parser.parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        output = Path(scratch, "run.h5")
        result = run(arguments.sparkmpi, arguments.ranks,
                     ["stream", "--footprint", "16K", "--operation", "read", "-r", "10", "--verbose", "-o", output], scratch)
        checks.expect(result.returncode == 0, f"exit {result.returncode}: {result.stderr[-2000:]}")
        with h5py.File(output) as file:
            checks.expect(min(file["kernels/0000_stream/read_bytes_per_s"].shape) >= 10 and
                          file["kernels/0000_stream/read_bytes_per_s"].shape[0] == arguments.ranks, "not every rank's samples are there")
            checks.expect(sorted(file["ranks/local_rank"][:]) == list(range(arguments.ranks)), "local ranks are not 0 … N-1")
        gather, commit = map(float, re.search(r"gather ([\d.]+) ms, commit ([\d.]+) ms", result.stderr).groups())
        print(f"{arguments.ranks} ranks: gather {gather:.0f} ms, commit {commit:.0f} ms, {(gather + commit) / arguments.ranks:.2f} ms a rank, "
              f"{output.stat().st_size / arguments.ranks / 1024:.1f} KiB a rank")
    checks.finish()


if __name__ == "__main__":
    main()
