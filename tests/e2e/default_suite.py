#!/usr/bin/env python3
"""`sparkmpi` without arguments on two ranks: complete, and honest about synthetic weights.

    default_suite.py --sparkmpi PATH --fixtures DIR
"""

import tempfile
import time
from pathlib import Path

import h5py

from launch import Checks, kernels_in, options_of, run


def main():
    arguments = options_of(__doc__).parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        start = time.monotonic()
        result = run(arguments.sparkmpi, 2, [], scratch)
        print(f"the default suite took {time.monotonic() - start:.0f} s")
        checks.expect(result.returncode == 0, f"exit {result.returncode}: {result.stderr}")
        files = list(Path(scratch).glob("*.h5"))
        checks.expect(len(files) == 1 and files[0].name in result.stderr, f"one result file is named: {files}")
        stored = kernels_in(files[0])
        checks.expect(all(stored.values()) and any("stream" in name for name in stored) and any("inference" in name for name in stored),
                      f"kernels: {stored}")
        checks.expect("synthetic" in result.stdout, "the summary does not say that the weights are synthetic")
        with h5py.File(files[0]) as file:
            for name, group in file["kernels"].items():
                checks.expect("timeline" in group, f"{name} has no ledger time line")
    checks.finish()


if __name__ == "__main__":
    main()
