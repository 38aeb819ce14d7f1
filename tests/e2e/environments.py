#!/usr/bin/env python3
"""`sparkmpi launch` for real: each environment gives one file that names it, in both launch models, whatever names look like.

    environments.py --sparkmpi PATH --only ENVIRONMENT
"""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import h5py

import full
from launch import Checks, environment, options_of, run_alone

WORK = ["stream", "--footprint", "64K", "--operation", "read", "-r", "3", "-q"]
ODD = "a 'b\" $(touch owned); touch owned.h5"
LIMIT = 512 * 1024 * 1024


def in_file(path):
    """What a result file says about where its ranks ran."""
    with h5py.File(path) as file:
        ranks = file["ranks"]
        return {"environments": [text.decode() for text in ranks["environment"][:]], "evidence": ranks["environment_evidence"][0].decode(),
                "nodes": int(file["provenance"].attrs["nodes"]),
                "limits": list(ranks["cgroup_memory_limit_bytes"][:]) if "cgroup_memory_limit_bytes" in ranks else []}


def cgroups():
    """Groups of this program that are there now."""
    return {path for path in Path("/sys/fs/cgroup").glob("**/sparkmpi-*") if path.is_dir()}


class Launches:
    """One environment's launches in a folder with a name that a shell would stumble over."""

    def __init__(self, program, name, scratch, checks, variables):
        self.program, self.name, self.scratch, self.checks = program, name, scratch, checks
        self.variables = environment(**variables)

    def launch(self, model, options, output, work=WORK):
        words = [self.program, "launch", self.name, "-np", 2, "--oversubscribe", "--model", model]
        for option in options:
            words += ["-O", option]
        return subprocess.run(list(map(str, [*words, "--", *work, "-o", output])), cwd=self.scratch, env=self.variables, capture_output=True,
                              text=True, timeout=200)

    def expect(self, model, options, output, limit=None):
        result = self.launch(model, options, output)
        what = f"{self.name}, {model}, {options}"
        self.checks.expect(result.returncode == 0, f"{what}: exit {result.returncode}: {result.stderr}")
        path = self.scratch / output
        if not path.exists():
            self.checks.expect(False, f"{what}: there is no {path}")
            return
        found = in_file(path)
        print(f"{what}: {found}")
        self.checks.expect(found["environments"] == [self.name] * 2, f"{what}: the file says {found}")
        self.checks.expect(found["nodes"] == 1, f"{what}: the ranks don't know that they share a node: {found}")
        if limit is not None:
            self.checks.expect(found["limits"] == [limit] * 2, f"{what}: a limit of {limit} bytes is not in the file: {found}")


def nothing_of_it(launches):
    launches.expect("hybrid", [], ODD)


def in_root(launches):
    options = [f"rootfs={launches.scratch / 'the root'}"]
    for model in ("hybrid", "inside"):
        launches.expect(model, options, f"{model} {ODD}")


def in_group(launches):
    before = cgroups()
    for model in ("hybrid", "inside"):
        launches.expect(model, [f"memory={LIMIT}"], f"{model} {ODD}", limit=LIMIT)
    launches.expect("hybrid", [], "unlimited.h5")
    launches.checks.expect(cgroups() == before, f"groups are left behind: {cgroups() - before}")
    # A limit that is too small for the program is the kernel's to enforce, and the launcher's to report.
    killed = launches.launch("inside", ["memory=1M"], "killed.h5")
    launches.checks.expect(killed.returncode != 0 and not (launches.scratch / "killed.h5").exists(), "a limit of 1 MiB stops nothing")
    launches.checks.expect(cgroups() == before, "a group whose processes were killed is left behind")


def in_runc(launches):
    before = cgroups()
    options = [f"rootfs={launches.scratch / 'the root'}"]
    for model in ("hybrid", "inside"):
        launches.expect(model, [*options, f"memory={LIMIT}"], f"{model} {ODD}", limit=LIMIT)
    launches.expect("hybrid", options, "unlimited.h5")
    killed = launches.launch("inside", [*options, "memory=1M"], "killed.h5")
    launches.checks.expect(killed.returncode != 0 and not (launches.scratch / "killed.h5").exists(), "a limit of 1 MiB stops nothing")
    nowhere = launches.launch("inside", ["rootfs=nowhere"], "nowhere.h5")
    launches.checks.expect(nowhere.returncode == 2 and "nowhere is no directory" in nowhere.stderr and len(nowhere.stderr.splitlines()) == 1,
                           f"no root: exit {nowhere.returncode}: {nowhere.stderr}")
    launches.checks.expect(cgroups() == before, f"groups are left behind: {cgroups() - before}")
    launches.checks.expect(not list(Path(tempfile.gettempdir()).glob("sparkmpi-bundle-*")), "a bundle is left behind")


def podman(launches, *words):
    return subprocess.run(["podman", *map(str, words)], env=launches.variables, capture_output=True, text=True, timeout=200)


def in_podman(launches):
    image = "localhost/sparkmpi-test:1"
    archive = launches.scratch / "root.tar"
    subprocess.run(["tar", "-C", launches.scratch / "the root", "-cf", archive, "."], check=True)
    imported = podman(launches, "import", archive, image)
    archive.unlink()
    launches.checks.expect(imported.returncode == 0, f"import: {imported.stderr}")
    for model in ("hybrid", "inside"):
        launches.expect(model, [f"image={image}", f"memory={LIMIT}"], f"{model} {ODD}", limit=LIMIT)
    launches.expect("inside", [f"image={image}", "shm-size=64m", "ipc=private", "pid=private"], "options.h5")
    launches.expect("inside", [f"rootfs={launches.scratch / 'the root'}"], "directory.h5")
    # crun refuses to run at all where cgroups are of the hybrid kind.
    refused = podman(launches, "--runtime", "crun", "run", "--rm", "--cgroups=disabled", "--pid=private", "--network=host", "--rootfs",
                     launches.scratch / "the root", "/bin/sh", "-c", "exit 0").stderr.strip()
    if refused:
        print(f"cgroups=disabled is checked word by word only: {refused.splitlines()[-1]}")
    else:
        launches.expect("inside", [f"rootfs={launches.scratch / 'the root'}", "cgroups=disabled"], "no cgroup.h5")
    left = podman(launches, "ps", "--all", "--quiet")
    launches.checks.expect(left.returncode == 0 and not left.stdout.strip(), f"containers are left behind: {left.stdout}{left.stderr}")
    podman(launches, "rmi", "--force", image)


# Environment → its launches, the tools it needs, and whether a root directory has to be made for it.
CASES = {"native": (nothing_of_it, (), False), "chroot": (in_root, (), True), "cgroup": (in_group, (), False),
         "podman": (in_podman, ("podman", "runc", "tar"), True), "runc": (in_runc, ("runc",), True),
         "nspawn": (in_root, ("systemd-nspawn",), True),
         "bwrap": (in_root, ("bwrap",), True)}


def main():
    parser = options_of(__doc__)
    parser.add_argument("--only", choices=CASES, required=True)
    arguments = parser.parse_args()
    program = arguments.sparkmpi.resolve()
    case, tools, needs_root_directory = CASES[arguments.only]
    if arguments.only != "native":
        full.need(*tools)
    checks = Checks()
    scratch = Path(tempfile.mkdtemp(prefix="sparkmpi 'odd; touch owned "))
    # podman's own store has a plain name: with quotes in it podman 4.3 waits 20 s for the end of each container.
    store = Path(tempfile.mkdtemp(prefix="sparkmpi-podman-"))
    mounts = Path("/proc/self/mounts").read_text()
    try:
        if needs_root_directory:
            made = run_alone(program, ["rootfs", "create", scratch / "the root", "--without-cuda"], scratch)
            checks.expect(made.returncode == 0, f"create: {made.stderr}")
        variables = full.podman_variables(store) if arguments.only == "podman" else {}
        case(Launches(program, arguments.only, scratch, checks, variables))
        checks.expect(not list(scratch.glob("owned*")), "a name was run as a command")
        if arguments.only != "podman":  # its store keeps a mount as long as it exists
            checks.expect(Path("/proc/self/mounts").read_text() == mounts, "mounts are left behind")
    finally:
        if arguments.only == "podman":
            subprocess.run(["umount", "--quiet", "--lazy", str(store / "graph" / "overlay")], capture_output=True)
        for left in Path("/run/systemd/nspawn/propagate").glob("sparkmpi-*"):
            shutil.rmtree(left, ignore_errors=True)
        shutil.rmtree(store, ignore_errors=True)
        shutil.rmtree(scratch, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
