#!/usr/bin/env python3
"""Root file systems: made without an image, entered by root and by others, under mpirun; nothing stays mounted.

    rootfs.py --sparkmpi PATH [--kills 50]
"""

import os
import random
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import h5py

from launch import Checks, environment, options_of, run_alone


def environments_in(path):
    with h5py.File(path) as file:
        return {text.decode() for text in file["ranks/environment"][:]}


def may_enter(program, scratch, prefix):
    """Whether this user may have namespaces here at all."""
    return subprocess.run([*prefix, "unshare", "--user" if prefix else "--mount", "true"], capture_output=True, cwd=scratch).returncode == 0


def main():
    parser = options_of(__doc__)
    parser.add_argument("--kills", type=int, default=50)
    arguments = parser.parse_args()
    program = arguments.sparkmpi.resolve()
    checks = Checks()
    scratch = Path(tempfile.mkdtemp(prefix="sparkmpi root;fs "))  # a name that a shell would stumble over
    scratch.chmod(0o777)
    root = scratch / "the root"
    try:
        made = run_alone(program, ["rootfs", "create", root, "--without-cuda"], scratch)
        checks.expect(made.returncode == 0, f"create: {made.stderr}")
        again = run_alone(program, ["rootfs", "create", root], scratch)
        checks.expect(again.returncode == 2 and "not empty" in again.stderr, f"a directory that is not empty: {again.stderr}")
        nowhere = run_alone(program, ["rootfs", "enter", scratch / "nowhere", "--", "true"], scratch)
        checks.expect(nowhere.returncode == 2 and len(nowhere.stderr.splitlines()) == 1, f"no directory: {nowhere.stderr}")
        if os.geteuid() != 0 or not may_enter(program, scratch, []):
            print("skipped: entering as root needs root and mount namespaces")
            checks.finish() if checks.failures else os._exit(77)

        mounts = Path("/proc/self/mounts").read_text()
        checked = run_alone(program, ["rootfs", "check", root], scratch)
        checks.expect(checked.returncode == 0 and "FAILED" not in checked.stdout, f"check: {checked.stdout}{checked.stderr}")

        enter = [program, "rootfs", "enter", root, "--no-gpu", "--"]
        for needed in ("libdl.so.2", "libpthread.so.0", "librt.so.1"):  # by NVIDIA's driver, which comes in at entry
            checks.expect(any(root.rglob(needed)), f"{needed} is not in the root")
        cache = run_alone(program, [*enter[1:], "ldconfig", "-p"], scratch)
        checks.expect("libmpi.so" in cache.stdout, f"the loader's cache: {cache.stdout[:200]}{cache.stderr}")
        work = ["stream", "--footprint", "64K", "--operation", "read", "-r", "5", "-q"]
        mpirun = ["mpirun", "--oversubscribe", "-np", "2"]
        for what, words in (("ranks inside", [*mpirun, *enter, program, *work, "-o", "ranks.h5"]),
                            ("mpirun inside", [*enter, *mpirun, program, *work, "-o", "mpirun.h5"])):
            result = subprocess.run(list(map(str, words)), cwd=scratch, env=environment(), capture_output=True, text=True, timeout=120)
            checks.expect(result.returncode == 0, f"{what}: exit {result.returncode}: {result.stderr}")
            output = scratch / str(words[-1])
            checks.expect(output.exists() and environments_in(output) == {"chroot"}, f"{what}: no result from a chroot")

        # A name that would do harm if anything interpreted it.
        odd = scratch / "bind; touch owned"
        odd.mkdir()
        (odd / "here").write_text("seen")
        bound = run_alone(program, ["rootfs", "enter", root, "--no-gpu", "--bind", f"{odd}:/data/x:ro", "--", "cat", "/data/x/here"], scratch)
        checks.expect(bound.stdout == "seen", f"bind: {bound.stdout}{bound.stderr}")
        checks.expect(not (scratch / "owned").exists(), "a name was run as a command")

        rng = random.Random(7)
        for _ in range(arguments.kills):
            process = subprocess.Popen(list(map(str, [*enter, "sh", "-c", "while :; do :; done"])), cwd=scratch, env=environment(),
                                       start_new_session=True)
            time.sleep(rng.uniform(0, 0.06))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        checks.expect(Path("/proc/self/mounts").read_text() == mounts, "mounts are left behind")

        other = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
        reachable = shutil.which("setpriv") and subprocess.run([*other, "test", "-x", program]).returncode == 0
        if reachable and may_enter(program, scratch, other):
            result = subprocess.run([*other, *map(str, enter), "sh", "-c", "exit 7"], cwd=scratch, env=environment(), capture_output=True, text=True)
            checks.expect(result.returncode == 7, f"as another user: exit {result.returncode}: {result.stderr}")
            result = subprocess.run([*other, *map(str, enter), str(program), "list", "environments"], cwd=scratch, env=environment(),
                                    capture_output=True, text=True)
            checks.expect("chroot       yes" in result.stdout, f"as another user: {result.stdout}{result.stderr}")
        else:
            print("not tried as another user: it can't reach the program, or user namespaces are not allowed here")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
