#!/usr/bin/env python3
"""`sparkmpi charge` finds what is true: natively, in a memory cgroup of either version, and in a podman container.

    charge.py --sparkmpi PATH

Slopes of the process's and the cgroup's own ledgers have to be within 0.03 of the truth. The node's ledgers see every other process: there
the truth has to lie within twice the interval. As root; without it, or without podman, those parts are skipped and said.
"""

import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from launch import Checks, environment, options_of, run, run_alone

TOLERANCE = 0.03
SIZES = ["--sizes", "32M,64M,128M", "--idle-cells", "6"]
ANONYMOUS = {"malloc", "mmap", "mmap_huge", "posix_shm", "memfd"}
RSS = {name: 1 for name in ANONYMOUS} | {"file_mmap": 1, "file_read": 0, "o_direct": 0}
CGROUP = RSS | {"file_read": 1}
MEM_FREE = CGROUP
MEM_AVAILABLE = RSS | {"file_mmap": 0}


def charges(program, path, scratch):
    """{(allocator, step, ledger): row} as `show --charges` prints it."""
    result = run_alone(program, ["show", path, "--charges", "--format", "json"], scratch)
    rows = json.loads(result.stdout)
    return {(row["allocator"], row["step"], row["ledger"]): row for row in rows}


def expect_exact(checks, where, found, ledger, truth):
    for allocator, slope in truth.items():
        row = found.get((allocator, "touch_cpu", ledger))
        if allocator == "o_direct" and row is None:
            print(f"{where}: no O_DIRECT on this file system")
            continue
        checks.expect(row is not None, f"{where}: {allocator} was not measured on {ledger}")
        if row is not None:
            checks.expect(abs(row["slope"] - slope) <= TOLERANCE, f"{where}: {ledger} for {allocator}: {row['slope']}, the truth is {slope}")


def expect_within_noise(checks, where, found, ledger, truth):
    for allocator, slope in truth.items():
        row = found.get((allocator, "touch_cpu", ledger))
        if row is None or row["half_width"] is None:
            continue
        reach = TOLERANCE + 2 * row["half_width"]
        checks.expect(abs(row["slope"] - slope) <= reach, f"{where}: {ledger} for {allocator}: {row['slope']} ± {row['half_width']}, the truth is {slope}")


def measured(checks, where, start, output):
    """Runs until the controls hold, three times at most: exit 1 is what noise on the node's ledgers may look like."""
    for attempt in range(3):
        output.unlink(missing_ok=True)
        result = start()
        print(f"{where}: exit {result.returncode}")
        if result.returncode == 0 or "a control fails" not in result.stderr:
            break
        print(f"{where}: {result.stderr.strip().splitlines()[-1]}")
    checks.expect(result.returncode == 0, f"{where}: exit {result.returncode}: {result.stderr}")
    print("\n".join(line for line in result.stdout.splitlines() if "±" in line or "charged per byte" in line))
    return result


def v1_memory_mount():
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup" and "memory" in fields[3].split(","):
            return Path(fields[1])
    return None


def v2_mount_with_memory():
    for line in Path("/proc/mounts").read_text().splitlines():
        fields = line.split()
        if fields[2] == "cgroup2" and "memory" in Path(fields[1], "cgroup.subtree_control").read_text().split():
            return Path(fields[1])
    return None


@contextlib.contextmanager
def memory_cgroup(mount, limit_file, limit):
    group = mount / f"sparkmpi-test-{os.getpid()}"
    group.mkdir()
    try:
        (group / limit_file).write_text(str(limit))
        yield group
    finally:
        for _ in range(50):
            try:
                group.rmdir()
                break
            except FileNotFoundError:
                break
            except OSError:
                time.sleep(0.1)


def inside(group, program, arguments, cwd, **options):
    line = f'echo $$ > {group}/cgroup.procs && exec "$@"'
    return subprocess.run(["sh", "-c", line, "sh", os.path.abspath(program), *map(str, arguments)], cwd=cwd, env=environment(),
                          capture_output=True, text=True, timeout=300, **options)


def natively(checks, program, scratch):
    output = scratch / "native.h5"
    result = measured(checks, "native", lambda: run_alone(program, ["charge", *SIZES, "-o", output], scratch), output)
    found = charges(program, output, scratch)
    expect_exact(checks, "native", found, "status.VmRSS", RSS)
    expect_within_noise(checks, "native", found, "meminfo.MemFree", MEM_FREE)
    expect_within_noise(checks, "native", found, "meminfo.MemAvailable", MEM_AVAILABLE)
    checks.expect("double-count memory?" in result.stdout and "Yes:" not in result.stdout, f"native: the answer is missing or wrong: {result.stdout}")
    shown = run_alone(program, ["show", output], scratch)
    checks.expect("charged per byte" in shown.stdout and max(map(len, shown.stdout.splitlines())) <= 100, "show prints no matrix of 100 columns")


def in_cgroup(checks, program, scratch, version, mount, limit_file):
    with memory_cgroup(mount, limit_file, 1 << 30) as group:
        output = scratch / f"{version}.h5"
        measured(checks, version, lambda: inside(group, program, ["charge", *SIZES, "-o", output], scratch), output)
        found = charges(program, output, scratch)
        expect_exact(checks, version, found, "cgroup.current", CGROUP)
        expect_exact(checks, version, found, "status.VmRSS", RSS)
        too_large = inside(group, program, ["charge", "--sizes", "1G,2G,3G", "-o", scratch / "large.h5"], scratch)
        checks.expect(too_large.returncode == 2 and "can be had here" in too_large.stderr,
                      f"{version}: sizes beyond the limit: exit {too_large.returncode}, {too_large.stderr}")


def children_of(pid):
    found = []
    for path in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if int(path.read_text().rsplit(")", 1)[1].split()[1]) == pid:
                found.append(int(path.parent.name))
    return found


def is_cell(pid):
    with contextlib.suppress(OSError):
        return b"charge-cell" in Path(f"/proc/{pid}/cmdline").read_bytes()
    return False


def removed_while_running(checks, program, scratch, mount, limit_file):
    """The group goes while cells run: its readings end, the others go on."""
    with memory_cgroup(mount, limit_file, 1 << 30) as group:
        output = scratch / "removed.h5"
        line = f'echo $$ > {group}/cgroup.procs && exec "$@"'
        process = subprocess.Popen(["sh", "-c", line, "sh", os.path.abspath(program), "charge", "--allocators", "malloc", "--sizes", "8M,16M,32M", "-r", "8",
                                    "-q", "-o", str(output)], cwd=scratch, env=environment(), stderr=subprocess.PIPE, text=True)
        while not output.exists() and process.poll() is None:
            time.sleep(0.01)
        time.sleep(1)
        removed, refused = False, None
        while not removed and not refused and process.poll() is None:
            for pid in (group / "cgroup.procs").read_text().split():
                try:
                    (mount / "cgroup.procs").write_text(pid)
                except ProcessLookupError:
                    pass
                except OSError as error:  # a namespace's root that has groups below takes no process
                    refused = error
            with contextlib.suppress(OSError):
                group.rmdir()
                removed = True
        error = process.communicate(timeout=120)[1]
        if refused:
            print(f"SKIPPED a cgroup that is removed: its processes can't be moved out: {refused}")
            return
        checks.expect(removed, "the cgroup could not be removed while cells ran")
        checks.expect(process.returncode in (0, 1) and (process.returncode == 0 or "control" in error), f"a removed cgroup ended the run: {error}")
        row = charges(program, output, scratch).get(("malloc", "touch_cpu", "status.VmRSS"))
        checks.expect(row is not None and row["cells"] >= 24 and abs(row["slope"] - 1) <= TOLERANCE, f"after the cgroup's end: {row}")


def killed_child(checks, program, scratch):
    """A cell whose child is killed says so and keeps its earlier steps; the others are measured."""
    output = scratch / "killed.h5"
    process = subprocess.Popen([os.path.abspath(program), "charge", "--allocators", "malloc", "--sizes", "64M,128M,256M", "-q", "-o", str(output)], cwd=scratch,
                               env=environment(), stderr=subprocess.PIPE, text=True)
    killed = False
    while not killed and process.poll() is None:
        for pid in filter(is_cell, children_of(process.pid)):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
                killed = True
        time.sleep(0.002)
    error = process.communicate(timeout=120)[1]
    checks.expect(process.returncode == 0 or "control" in error, f"a killed child ended the run: {error}")
    shown = run_alone(program, ["show", output], scratch)
    checks.expect("killed by signal 9" in shown.stdout, f"the killed cell is not named: {shown.stdout}")
    row = charges(program, output, scratch)[("malloc", "touch_cpu", "status.VmRSS")]
    checks.expect(row["cells"] >= 5, f"cells beside the killed one: {row}")


def in_podman(checks, program, scratch):
    root, results = scratch / "rootfs", scratch / "results"
    for name in ("usr", "etc", "proc", "sys", "dev", "tmp", "run", "var/tmp", "results", "program"):
        (root / name).mkdir(parents=True)
    results.mkdir()
    for name in ("bin", "sbin", "lib", "lib64"):
        if Path("/", name).is_symlink():
            (root / name).symlink_to(os.readlink(Path("/", name)))
    configuration = scratch / "containers.conf"
    configuration.write_text('[containers]\ndefault_ulimits = []\n')
    build = Path(program).resolve().parent.parent
    command = ["podman", "run", "--rm", *(["--runtime", "runc"] if shutil.which("runc") else []), "--network", "none", "--memory", "1g", "--shm-size", "256m",
               "-e", "OMPI_ALLOW_RUN_AS_ROOT=1", "-e", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1", "-v", "/usr:/usr:ro", "-v", "/etc:/etc:ro",
               "-v", f"{build}:/program:ro", "-v", f"{results}:/results", "-w", "/results", "--rootfs", str(root)]

    def start(*words):
        return subprocess.run([*command, *words], env=os.environ | {"CONTAINERS_CONF": str(configuration)}, capture_output=True, text=True, timeout=300)

    trial = start("/usr/bin/true")
    if trial.returncode != 0:
        print(f"SKIPPED podman: it starts no container here: {trial.stderr.strip()}")
        return
    output = results / "podman.h5"
    measured(checks, "podman", lambda: start("/program/bin/sparkmpi", "charge", *SIZES, "-o", "/results/podman.h5"), output)
    found = charges(program, output, scratch)
    expect_exact(checks, "podman", found, "cgroup.current", CGROUP)
    expect_exact(checks, "podman", found, "status.VmRSS", RSS)


def main():
    program = options_of(__doc__).parse_args().sparkmpi
    checks = Checks()
    with tempfile.TemporaryDirectory(dir=os.getcwd()) as name:
        scratch = Path(name)
        natively(checks, program, scratch)
        killed_child(checks, program, scratch)
        tmpfs = run_alone(program, ["charge", "--scratch", "/dev/shm"], scratch)
        checks.expect(tmpfs.returncode == 2 and "tmpfs" in tmpfs.stderr and len(tmpfs.stderr.splitlines()) == 1, f"a scratch directory in memory: {tmpfs.stderr}")
        two = run(program, 2, ["charge", "--allocators", "malloc", "--sizes", "8M,16M,32M", "-q", "-o", "two.h5"], scratch)
        checks.expect(two.returncode == 0 or "control" in two.stderr, f"two ranks: exit {two.returncode}: {two.stderr}")
        rows = json.loads(run_alone(program, ["show", "two.h5", "--charges", "--format", "json"], scratch).stdout)
        checks.expect({row["rank"] for row in rows} == {0, 1}, "two ranks: not both have measured")
        if os.geteuid() != 0:
            print("SKIPPED cgroups and podman: only root may make them")
        else:
            v1, v2 = v1_memory_mount(), v2_mount_with_memory()
            for version, mount, limit_file in (("cgroup v1", v1, "memory.limit_in_bytes"), ("cgroup v2", v2, "memory.max")):
                if mount is None or not os.access(mount, os.W_OK):
                    print(f"SKIPPED {version}: there is none here that has the memory controller and can be written")
                    continue
                in_cgroup(checks, program, scratch, version, mount, limit_file)
                removed_while_running(checks, program, scratch, mount, limit_file)
            if shutil.which("podman") is None:
                print("SKIPPED podman: it is not installed")
            else:
                in_podman(checks, program, scratch)
    checks.finish()


if __name__ == "__main__":
    main()
