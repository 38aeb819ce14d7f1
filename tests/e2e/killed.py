#!/usr/bin/env python3
"""SIGKILL of a rank or of mpirun at random moments: the file opens and holds every kernel that had finished.

    killed.py --sparkmpi PATH [--times 20] [--seed S]
"""

import os
import random
import signal
import subprocess
import tempfile
import threading
import time
from pathlib import Path

from launch import Checks, command, environment, kernels_in, options_of, run_alone

# Many short points, so that most moments are near a commit.
WORK = ["stream", "--footprint", "64K-1M+64K", "--operation", "read,triad", "-r", "5", "--verbose"]


def descendants(pid):
    """Processes below `pid`, without itself."""
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        found.append((int(path.parent.name), int(fields[1])))
    below, grown = {pid}, True
    while grown:
        grown = False
        for child, parent in found:
            if parent in below and child not in below:
                below.add(child)
                grown = True
    return below - {pid}


def main():
    parser = options_of(__doc__)
    parser.add_argument("--times", type=int, default=20)
    parser.add_argument("--seed", type=int, default=random.randrange(10**6))
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}")
    rng = random.Random(arguments.seed)
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        for number in range(arguments.times):
            output = Path(scratch, f"{number}.h5")
            process = subprocess.Popen(command(arguments.sparkmpi, 2, [*WORK, "-o", output]), env=environment(), stderr=subprocess.PIPE,
                                       stdout=subprocess.DEVNULL, text=True, cwd=scratch)
            committed = []
            reader = threading.Thread(target=lambda: [committed.append(line.split()[1].rstrip(":")) for line in process.stderr
                                                      if line.strip().startswith("committed ")])
            reader.start()
            while not output.exists() and process.poll() is None:
                time.sleep(0.005)
            time.sleep(rng.uniform(0, 0.6))
            ranks = [pid for pid in descendants(process.pid) if Path(f"/proc/{pid}/exe").exists() and
                     os.path.realpath(f"/proc/{pid}/exe") == os.path.realpath(arguments.sparkmpi)]
            victim = rng.choice([process.pid, *ranks])
            what = "mpirun" if victim == process.pid else "a rank"
            try:
                os.kill(victim, signal.SIGKILL)
            except ProcessLookupError:
                what += " (too late)"
            process.wait(timeout=60)
            # Ranks whose mpirun died may go on to their end, and commit until then.
            deadline = time.monotonic() + 3
            while any(Path(f"/proc/{pid}").exists() for pid in ranks) and time.monotonic() < deadline:
                time.sleep(0.05)
            for pid in ranks:
                try:
                    os.kill(pid, signal.SIGKILL)
                except ProcessLookupError:
                    pass
            reader.join(timeout=20)
            try:
                stored = kernels_in(output)
            except OSError as error:
                checks.expect(False, f"run {number}, {what}: the file does not open: {error}")
                continue
            missing = [name for name in committed if name not in stored]
            checks.expect(not missing, f"run {number}, {what}: {missing} had been committed and are gone")
            checks.expect(all(stored.values()), f"run {number}, {what}: incomplete kernels without an interrupt: {stored}")
            shown = run_alone(arguments.sparkmpi, ["show", output], scratch)
            checks.expect(shown.returncode == 0, f"run {number}: show says {shown.stderr}")
            print(f"run {number}: killed {what}, {len(stored)} kernels kept, {len(committed)} announced")
    checks.finish()


if __name__ == "__main__":
    main()
