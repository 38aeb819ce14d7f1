"""Starting sparkmpi as a user does, and reading what it left."""

import argparse
import os
import subprocess
import sys
from pathlib import Path

import h5py


def options_of(description, *folders):
    """The parser of a whole run, with what all of them are given: the program, and the folders of these names that it reads."""
    parser = argparse.ArgumentParser(description=description.splitlines()[0])
    for name in ("sparkmpi", *folders):
        parser.add_argument(f"--{name}", type=Path, required=True)
    return parser


def command(program, ranks, arguments, mpirun_options=()):
    """mpirun with what a test machine needs: more ranks than cores, four seconds to commit after a signal."""
    return ["mpirun", "--oversubscribe", "--mca", "odls_base_sigkill_timeout", "4", *mpirun_options, "-np", str(ranks), os.path.abspath(program),
            *map(str, arguments)]


def environment(**changes):
    """The caller's, without what would change a result, and with Open MPI told that root is meant."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith(("OMPI_MCA", "SPARKMPI_MODEL"))}
    if os.geteuid() == 0:
        variables |= {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1"}
    return variables | {name: str(value) for name, value in changes.items()}


def run(program, ranks, arguments, cwd, **options):
    return subprocess.run(command(program, ranks, arguments), cwd=cwd, env=environment(), capture_output=True, text=True, timeout=300,
                          **options)


def run_alone(program, arguments, cwd):
    """Without mpirun, as `sparkmpi show` and single-rank runs are started."""
    return subprocess.run([os.path.abspath(program), *map(str, arguments)], cwd=cwd, env=environment(), capture_output=True, text=True, timeout=300)


def read_terminal(leader):
    """All that is written to a terminal until nobody has its other end open; closes it."""
    seen = b""
    while True:
        try:
            part = os.read(leader, 65536)
        except OSError:  # the other end is closed
            part = b""
        if not part:
            os.close(leader)
            return seen.decode()
        seen += part


def kernels_in(path):
    """{group name: complete} of a result file."""
    with h5py.File(path) as file:
        return {name: bool(group.attrs["complete"]) for name, group in file["kernels"].items()}


class Checks:
    """Collects what is wrong, so that one run tells all of it."""

    def __init__(self):
        self.failures = []
        self.count = 0

    def expect(self, condition, message):
        self.count += 1
        if not condition:
            self.failures.append(message)
            print(f"FAILED: {message}")

    def finish(self):
        print(f"{self.count} checks, {len(self.failures)} failed")
        sys.exit(1 if self.failures else 0)
