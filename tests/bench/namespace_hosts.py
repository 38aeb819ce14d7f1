"""Hosts that are network and UTS namespaces of this machine, joined by a bridge: for what a program costs on several nodes, not for what a
network costs."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path


class Unavailable(Exception):
    """Why there can be no such hosts here."""


def ip(*words):
    result = subprocess.run(["ip", *words], capture_output=True, text=True)
    if result.returncode != 0:
        raise Unavailable(f"ip {' '.join(words)}: {result.stderr.strip()}")


class NamespaceHosts:
    """A context with `count` hosts; needs root, iproute2 and a kernel that allows network namespaces, else raises Unavailable."""

    NETWORK = "10.78.0"

    def __init__(self, count):
        self.names = [f"spark-{os.getpid()}-{i}" for i in range(count)]
        self.switch = f"spark-{os.getpid()}-switch"

    def __enter__(self):
        if os.geteuid() != 0:
            raise Unavailable("network namespaces need root")
        self.scratch = Path(tempfile.mkdtemp(prefix="sparkmpi-hosts-"))
        try:
            self._make()
        except BaseException:
            self.__exit__()
            raise
        return self

    def _make(self):
        hosts = "127.0.0.1 localhost\n" + "".join(f"{self.NETWORK}.{i + 1} {name}\n" for i, name in enumerate(self.names))
        ip("netns", "add", self.switch)
        ip("-n", self.switch, "link", "add", "bridge", "type", "bridge")
        ip("-n", self.switch, "link", "set", "bridge", "up")
        for i, name in enumerate(self.names):
            ip("netns", "add", name)
            ip("link", "add", "net0", "netns", name, "type", "veth", "peer", "name", f"port{i}", "netns", self.switch)
            ip("-n", self.switch, "link", "set", f"port{i}", "master", "bridge", "up")
            ip("-n", name, "addr", "add", f"{self.NETWORK}.{i + 1}/24", "dev", "net0")
            for interface in ("lo", "net0"):
                ip("-n", name, "link", "set", interface, "up")
            # ip-netns shows these files as /etc/hosts inside.
            folder = Path("/etc/netns", name)
            folder.mkdir(parents=True)
            (folder / "hosts").write_text(hosts)
        # What mpirun starts instead of ssh: HOST COMMAND…
        self.agent = self.scratch / "rsh"
        self.agent.write_text('#!/bin/sh\nhost=$1\nshift\nexec ip netns exec "$host" unshare --uts -- sh -c "hostname $host; exec sh -c \\"\\$0\\"" "$*"\n')
        self.agent.chmod(0o755)

    def __exit__(self, *_):
        for name in [*self.names, self.switch]:
            subprocess.run(["ip", "netns", "del", name], capture_output=True)
            shutil.rmtree(Path("/etc/netns", name), ignore_errors=True)
        shutil.rmtree(self.scratch, ignore_errors=True)

    def mpirun(self, ranks, nodes):
        """The command, up to the program, that starts `ranks` ranks on the first `nodes` hosts."""
        slots = -(-ranks // nodes)
        file = self.scratch / f"hosts-{nodes}-{slots}"
        file.write_text("".join(f"{name} slots={slots}\n" for name in self.names[:nodes]))
        first = self.names[0]
        return ["ip", "netns", "exec", first, "unshare", "--uts", "--", "sh", "-c", f'hostname {first}; exec "$@"', "sh",
                "mpirun", "--hostfile", str(file), "--map-by", "slot", "--oversubscribe", "-np", str(ranks), "--mca", "plm_rsh_agent", str(self.agent),
                # The file gives a host more slots than there are cores: ranks that wait must let others run.
                "--mca", "mpi_yield_when_idle", "1", "--mca", "btl_tcp_if_include", f"{self.NETWORK}.0/24", "--mca", "oob_tcp_if_include", f"{self.NETWORK}.0/24"]
