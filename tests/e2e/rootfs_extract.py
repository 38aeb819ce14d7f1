#!/usr/bin/env python3
"""Root file systems out of archives and images, and what is refused: another architecture, no permission, links that lead out.

    rootfs_extract.py --sparkmpi PATH
"""

import io
import os
import shutil
import subprocess
import tarfile
import tempfile
from pathlib import Path

import full
from launch import Checks, environment, options_of, run_alone

EM_AARCH64, EM_X86_64 = 183, 62


def for_another_machine(program):
    """The program's ELF header with the machine of another architecture (e_machine at byte 18)."""
    head = bytearray(program.read_bytes())
    machine = int.from_bytes(head[18:20], "little")
    head[18:20] = (EM_X86_64 if machine == EM_AARCH64 else EM_AARCH64).to_bytes(2, "little")
    return bytes(head)


def archive(path, members):
    """A tar of {name: bytes, or a link's target as text}."""
    with tarfile.open(path, "w") as tar:
        for name, content in members.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, str):
                entry.type, entry.linkname = tarfile.SYMTYPE, content
                tar.addfile(entry)
            else:
                entry.size, entry.mode = len(content), 0o755
                tar.addfile(entry, io.BytesIO(content))
    return path


class Extracting:
    def __init__(self, program, scratch, checks):
        self.program, self.scratch, self.checks = program, scratch, checks

    def run(self, *words, prefix=(), **variables):
        return subprocess.run([*map(str, prefix), str(self.program), *map(str, words)], cwd=self.scratch, env=environment(**variables),
                              capture_output=True, text=True, timeout=200)

    def refused(self, what, status, text, *words, **options):
        result = self.run(*words, **options)
        self.checks.expect(result.returncode == status and text in result.stderr and len(result.stderr.splitlines()) == 1,
                           f"{what}: exit {result.returncode}: {result.stderr}")


def archives(here):
    root, tar = here.scratch / "made; here", here.scratch / "root 'tar; touch owned.tar"
    here.checks.expect(run_alone(here.program, ["rootfs", "create", root, "--without-cuda"], here.scratch).returncode == 0, "create")
    subprocess.run(["tar", "-C", root, "-cf", tar, "."], check=True)
    out = here.scratch / "out; touch owned"
    extracted = here.run("rootfs", "extract", tar, out)
    here.checks.expect(extracted.returncode == 0, f"extract: {extracted.stderr}")
    if os.geteuid() == 0:
        checked = here.run("rootfs", "check", out)
        here.checks.expect(checked.returncode == 0, f"check: {checked.stdout}{checked.stderr}")
    here.refused("a directory that is not empty", 2, "not an empty directory", "rootfs", "extract", tar, out)
    here.refused("neither archive nor image", 2, "neither an archive nor an image", "rootfs", "extract", "no/such:image", here.scratch / "nothing")
    (here.scratch / "broken.tar").write_bytes(b"no archive at all" * 100)
    here.refused("a broken archive", 1, "tar", "rootfs", "extract", here.scratch / "broken.tar", here.scratch / "broken")
    return tar, out


def other_architectures(here, root):
    other = "x86-64" if os.uname().machine == "aarch64" else "aarch64"
    foreign = for_another_machine(Path("/bin/sh").resolve())
    # /bin is an absolute link in some images: it has to be followed within the image.
    tar = archive(here.scratch / "foreign.tar", {"bin": "/usr/bin", "usr/bin/sh": foreign})
    here.refused("an image of another architecture", 2, f"the image is for {other}", "rootfs", "extract", tar, here.scratch / "foreign")
    here.checks.expect(not (here.scratch / "foreign").exists(), "an image of another architecture stays unpacked")
    (root / "foreign").write_bytes(foreign)
    checked = here.run("rootfs", "check", root, "--program", "/foreign")
    here.checks.expect(checked.returncode == 1 and f"FAILED  the program there is for {other}" in checked.stdout,
                       f"a program of another architecture: exit {checked.returncode}: {checked.stdout}")


def links_that_lead_out(here):
    outside = Path(tempfile.mkdtemp(prefix="sparkmpi-outside-", dir="/var/tmp"))  # /tmp is the host's inside, too
    try:
        what_is_written(here, outside)
    finally:
        shutil.rmtree(outside)


def what_is_written(here, outside):
    (outside / "file").write_text("the host's")
    tar = archive(here.scratch / "hostile.tar", {"etc": str(outside), "etc/file": b"the image's"})
    here.run("rootfs", "extract", tar, here.scratch / "hostile")
    here.checks.expect((outside / "file").read_text() == "the host's", "an archive wrote outside of its root")
    if os.geteuid() != 0:
        return
    root = here.scratch / "made; here"
    (root / "leads").symlink_to(outside)
    here.run("rootfs", "enter", root, "--no-gpu", "--bind", f"{here.program}:/leads/out/program:ro", "--", "sh", "-c", "exit 0")
    here.checks.expect(sorted(path.name for path in outside.iterdir()) == ["file"], "a mount point was made outside of the root")


def images(here, tar):
    if os.environ.get("SPARKMPI_TEST_FULL") != "1" or os.geteuid() != 0 or shutil.which("podman") is None:
        print("images are not tried: part of ./run-tests.sh --full")
        return
    store = Path(tempfile.mkdtemp(prefix="sparkmpi-podman-"))
    variables = full.podman_variables(store)
    try:
        podman = lambda *words: subprocess.run(["podman", *map(str, words)], env=environment(**variables), capture_output=True, text=True, timeout=200)
        imported = podman("import", tar, "localhost/sparkmpi-extract:1")
        here.checks.expect(imported.returncode == 0, f"import: {imported.stderr}")
        extracted = here.run("rootfs", "extract", "localhost/sparkmpi-extract:1", here.scratch / "of the image", **variables)
        here.checks.expect(extracted.returncode == 0, f"extract of an image: {extracted.stderr}")
        checked = here.run("rootfs", "check", here.scratch / "of the image")
        here.checks.expect(checked.returncode == 0, f"check: {checked.stdout}{checked.stderr}")
        left = podman("ps", "--all", "--quiet")
        here.checks.expect(not left.stdout.strip(), f"containers are left behind: {left.stdout}")
        podman("rmi", "--force", "localhost/sparkmpi-extract:1")
    finally:
        subprocess.run(["umount", "--quiet", "--lazy", str(store / "graph" / "overlay")], capture_output=True)
        shutil.rmtree(store, ignore_errors=True)


def no_permission(here, root):
    other = ["setpriv", "--reuid", "65534", "--regid", "65534", "--clear-groups"]
    if os.geteuid() != 0 or not shutil.which("setpriv") or subprocess.run([*other, "test", "-x", here.program]).returncode != 0:
        print("permissions are not tried: they need root, setpriv, and a program that others can reach")
        return
    closed = here.scratch / "closed"
    closed.mkdir(mode=0o755)
    plan = here.scratch / "plan.ini"
    plan.write_text("[environments]\nnative = native\n[points]\nstream = stream --footprint 64K\n")
    here.refused("create", 1, "Permission denied", "rootfs", "create", closed / "root", prefix=other)
    here.refused("extract", 1, "Permission denied", "rootfs", "extract", here.scratch / "foreign.tar", closed / "root", prefix=other)
    here.refused("study", 1, "Permission denied", "study", plan, "-o", closed / "study", prefix=other)
    here.refused("cgroup", 1, "cgroup", "cgroup", "--memory", "64M", "--", "true", prefix=other)
    here.refused("run", 1, "needs root", "rootfs", "run", root, "--", "true", prefix=other)


def main():
    arguments = options_of(__doc__).parse_args()
    checks = Checks()
    scratch = Path(tempfile.mkdtemp(prefix="sparkmpi extract; touch owned "))
    scratch.chmod(0o755)
    here = Extracting(arguments.sparkmpi.resolve(), scratch, checks)
    try:
        tar, root = archives(here)
        other_architectures(here, root)
        links_that_lead_out(here)
        images(here, tar)
        no_permission(here, root)
        checks.expect(not list(scratch.glob("owned*")), "a name was run as a command")
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
