"""A memory cgroup with a limit, for tests that run a program inside it."""

import os
import time
from pathlib import Path


class Unavailable(Exception):
    """Why no cgroup can be made here, in one line."""


def mounts_of(kind):
    """[(mount point, options)] of a file system type, as /proc/mounts has them."""
    lines = [line.split() for line in Path("/proc/mounts").read_text().splitlines()]
    return [(Path(fields[1]), fields[3].split(",")) for fields in lines if fields[2] == kind]


class MemoryCgroup:
    """Below the root of version 1's memory hierarchy, or of version 2. Removed on leaving the `with` block.

        with MemoryCgroup(1 << 30) as group:
            subprocess.run(command, preexec_fn=group.enter)
    """

    def __init__(self, limit):
        if os.geteuid() != 0:
            raise Unavailable("a cgroup can be made by root only")
        first = next((point for point, options in mounts_of("cgroup") if "memory" in options), None)
        second = next((point for point, _ in mounts_of("cgroup2")), None)
        if first is None and second is None:
            raise Unavailable("no cgroup file system is mounted")
        self.path = (first or second) / f"sparkmpi-test-{os.getpid()}"
        try:
            if first is None and "memory" not in (second / "cgroup.subtree_control").read_text().split():
                (second / "cgroup.subtree_control").write_text("+memory")
            self.path.mkdir()
            (self.path / ("memory.limit_in_bytes" if first else "memory.max")).write_text(str(limit))
            # Without this, memory that swap can take would never end.
            for name in ("memory.memsw.limit_in_bytes", "memory.swap.max"):
                if (self.path / name).exists():
                    (self.path / name).write_text("0" if name == "memory.swap.max" else str(limit))
        except OSError as problem:
            self.remove()
            raise Unavailable(f"a cgroup cannot be made here: {problem}") from problem

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.remove()

    def enter(self):
        """In the process that is to be limited, before it starts its program."""
        (self.path / "cgroup.procs").write_text(str(os.getpid()))

    def pids(self):
        return [int(word) for word in (self.path / "cgroup.procs").read_text().split()]

    def remove(self):
        for _ in range(100):
            try:
                self.path.rmdir()
                return
            except FileNotFoundError:
                return
            except OSError:
                time.sleep(0.05)  # the last process has not quite left
