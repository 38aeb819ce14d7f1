#!/usr/bin/env python3
"""`sparkmpi doctor` and `sparkmpi hostfile` name what does not fit together: another mpirun, another MPI on a host, a silent host.

    doctor.py --sparkmpi PATH
"""

import csv
import io
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from launch import Checks, environment, options_of


def script(path, text):
    path.write_text("#!/bin/sh\n" + text)
    path.chmod(0o755)
    return path


def main():
    arguments = options_of(__doc__).parse_args()
    program = arguments.sparkmpi.resolve()
    checks = Checks()

    with tempfile.TemporaryDirectory(prefix="doctor's; ") as name:
        scratch = Path(name)

        def run(*words, **changes):
            return subprocess.run([str(program), *map(str, words)], cwd=scratch, env=environment(**changes), capture_output=True, text=True, timeout=120)

        healthy = run("doctor", "--format", "json")
        findings = json.loads(healthy.stdout)
        faults = [finding for finding in findings if finding["level"] == "fault"]
        checks.expect(healthy.returncode == (1 if faults else 0) and not healthy.stderr, f"exit {healthy.returncode} with {faults}: {healthy.stderr}")
        checks.expect(not [fault for fault in faults if fault["subject"] in ("libmpi", "mpirun", "PMIx")], f"this machine's MPI: {faults}")
        checks.expect(any(finding["subject"] == "libmpi" and "libmpi.so" in finding["what"] for finding in findings), "no word about libmpi")
        rows = list(csv.DictReader(io.StringIO(run("doctor", "--format", "csv").stdout)))
        checks.expect([row["subject"] for row in rows] == [finding["subject"] for finding in findings], "CSV and JSON differ")
        checks.expect("mpirun" in run("doctor").stdout, "the table says nothing of mpirun")

        (scratch / "other").mkdir()
        script(scratch / "other" / "mpirun", 'echo "mpirun (Open MPI) 9.9.9"\n')
        other = run("doctor", "--format", "json", PATH=f"{scratch}/other:{os.environ['PATH']}")
        fault = next(finding for finding in json.loads(other.stdout) if finding["subject"] == "mpirun")
        checks.expect(other.returncode == 1 and fault["level"] == "fault" and "9.9.9" in fault["what"] and fault["cure"], f"another mpirun: {fault}")

        # A part of MPI from another folder, as a second installation in LD_LIBRARY_PATH gives it.
        loaded = subprocess.run(["ldd", program], capture_output=True, text=True).stdout
        part = next((line.split()[2] for line in loaded.splitlines() if line.strip().startswith("libopen-pal.so")), None)
        if part:
            with tempfile.TemporaryDirectory(prefix="second installation ") as second:  # ';' would divide LD_LIBRARY_PATH
                shutil.copy(part, second)
                mixed = run("doctor", "--format", "json", LD_LIBRARY_PATH=second)
            fault = next(finding for finding in json.loads(mixed.stdout) if finding["subject"] == "MPI's parts")
            checks.expect(mixed.returncode == 1 and fault["level"] == "fault" and f"{second}/libopen-pal" in fault["what"] and fault["cure"],
                          f"a mixed installation: exit {mixed.returncode}: {fault}")

        # Three hosts: like this one, with another MPI, and silent.
        agent = script(scratch / "agent", 'host=$1; shift\n'
                       'case $host in\n  same) exec sh -c "$*" ;;\n  other) sh -c "$*" | sed "s/^mpi=.*/mpi=Open MPI v9.9.9/" ;;\n'
                       '  *) echo "no route to $host" >&2; exit 255 ;;\nesac\n')
        rsh = f'"{agent}"'
        good = run("hostfile", "--hosts", "same", "--slots", 2, "--rsh", rsh)
        checks.expect(good.returncode == 0 and good.stdout == "same slots=2\n" and not good.stderr, f"one good host: {good}")
        (scratch / "hosts").write_text("# mine\nsame slots=4\nother\nsilent # this one is off\n")
        mixed = run("hostfile", "hosts", "--rsh", rsh)
        checks.expect(mixed.returncode == 1 and "other: the MPI is 'Open MPI v9.9.9'" in mixed.stderr, f"another MPI: {mixed.stderr}")
        checks.expect("silent: does not answer" in mixed.stderr and "no route to silent" in mixed.stderr, f"a silent host: {mixed.stderr}")
        checks.expect([line.split()[0] for line in mixed.stdout.splitlines()] == ["same", "other"], f"the host file: {mixed.stdout}")
        for words in (["hostfile"], ["hostfile", "nowhere"], ["hostfile", "--hosts", "a,,b"], ["doctor", "now"]):
            bad = run(*words)
            checks.expect(bad.returncode == 2 and len(bad.stderr.splitlines()) == 1, f"{words}: exit {bad.returncode}: {bad.stderr}")
        script_text = run("slurm", "-N", 2, "-n", 4, "--", "stream", "-o", "a 'b;c.h5")
        checks.expect(script_text.returncode == 0 and "'a '\\''b;c.h5'" in script_text.stdout, f"slurm: {script_text.stdout}{script_text.stderr}")
        (scratch / "script").write_text(script_text.stdout)
        checks.expect(subprocess.run(["sh", "-n", scratch / "script"]).returncode == 0, "the batch script is no shell script")
        refused = run("slurm", "-N", 4, "-n", 2, "--", "stream")
        checks.expect(refused.returncode == 2, f"fewer ranks than nodes: {refused}")
    checks.finish()


if __name__ == "__main__":
    main()
