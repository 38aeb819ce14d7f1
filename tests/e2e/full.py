"""What tests need that `./run-tests.sh --full` installs, and configurations that point into a scratch folder."""

import os
import shutil
import subprocess
import sys


def skip(reason):
    """Ends the test as skipped; run-tests.sh prints the line."""
    print(f"skipped: {reason}")
    sys.exit(77)


def need(*tools, root=True):
    """Skips unless this is a full run, as root where that matters, with the tools installed."""
    if os.environ.get("SPARKMPI_TEST_FULL") != "1":
        skip("part of ./run-tests.sh --full")
    if root and os.geteuid() != 0:
        skip("needs root")
    for tool in tools:
        if shutil.which(tool) is None:
            skip(f"{tool} is not installed")


def podman_variables(scratch):
    """Variables that give podman a configuration and a store of its own under `scratch`."""
    scratch.mkdir(parents=True, exist_ok=True)
    # Without CAP_SYS_RESOURCE a limit can't be raised, and podman's own default raises one.
    (scratch / "containers.conf").write_text('[containers]\ndefault_ulimits = []\n[engine]\nruntime = "runc"\n')
    layered = subprocess.run(["stat", "--file-system", "--format=%T", str(scratch)], capture_output=True, text=True).stdout.strip()
    driver = "vfs" if layered in ("overlayfs", "tmpfs") else "overlay"
    (scratch / "storage.conf").write_text(f'[storage]\ndriver = "{driver}"\ngraphroot = "{scratch}/graph"\nrunroot = "{scratch}/run"\n')
    return {"CONTAINERS_CONF": str(scratch / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(scratch / "storage.conf")}
