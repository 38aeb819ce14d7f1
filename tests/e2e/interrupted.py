#!/usr/bin/env python3
"""Ctrl-C and SIGTERM: a clean end, with the finished kernels complete and the running one kept as far as it came.

    interrupted.py --sparkmpi PATH
"""

import signal
import subprocess
import tempfile
import time
from pathlib import Path

import h5py

from launch import Checks, command, environment, kernels_in, options_of

WORK = ["stream", "--footprint", "64K,128M", "--operation", "read,triad", "-r", "1000"]  # 0.4 s, then 20 s


def main():
    arguments = options_of(__doc__).parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        for ranks, number in ((1, signal.SIGINT), (2, signal.SIGINT), (2, signal.SIGTERM)):
            output = Path(scratch, f"{ranks}-{number.name}.h5")
            words = [*WORK, "-o", output]
            start = [str(arguments.sparkmpi.absolute()), *map(str, words)] if ranks == 1 else command(arguments.sparkmpi, ranks, words)
            process = subprocess.Popen(start, env=environment(), stderr=subprocess.PIPE, stdout=subprocess.PIPE, text=True, cwd=scratch)
            while not (output.exists() and kernels_in(output)) and process.poll() is None:
                time.sleep(0.05)  # until the first of the two points is committed
            time.sleep(0.5)
            process.send_signal(number)
            stdout, stderr = process.communicate(timeout=60)
            what = f"{ranks} ranks, {number.name}"
            checks.expect(process.returncode != 0, f"{what}: exit {process.returncode}")
            if ranks == 1:
                checks.expect(process.returncode == 128 + number, f"{what}: exit {process.returncode}")
            checks.expect("interrupted" in stderr, f"{what}: says nothing of it: {stderr}")
            stored = kernels_in(output)
            checks.expect(list(stored.values()) == [True, False], f"{what}: {stored}")
            checks.expect("INCOMPLETE" in stdout, f"{what}: the summary does not say what is incomplete")
            with h5py.File(output) as file:
                last = file["kernels/0001_stream"]
                reasons = [text.decode() for text in last["outcome/stop_reason"][:]]
                checks.expect(set(reasons) == {"interrupted"}, f"{what}: stop reasons {reasons}")
                checks.expect("read_bytes_per_s" in last and last["read_bytes_per_s"].shape[1] > 0, f"{what}: no samples were kept")
    checks.finish()


if __name__ == "__main__":
    main()
