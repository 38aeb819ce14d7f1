#!/usr/bin/env python3
"""A real Slurm of two nodes, each a network, UTS, IPC and mount namespace of this machine, runs the batch script.

    slurm.py --sparkmpi PATH        needs root, slurmctld, slurmd, srun, munged, ip; part of ./run-tests.sh --full
"""

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import h5py

import full
from launch import Checks, environment, options_of

NETWORK = "10.79.0"


def configuration(scratch, nodes):
    """slurm.conf for nodes that track processes without cgroups and keep everything under `scratch`."""
    lines = ["ClusterName=sparkmpi", f"SlurmctldHost={nodes[0]}({NETWORK}.1)", "SlurmUser=root", "SlurmdUser=root",
             "AuthType=auth/munge", f"AuthInfo=socket={scratch}/munge.socket", "CredType=cred/munge", "MpiDefault=none",
             "ProctrackType=proctrack/linuxproc", "TaskPlugin=task/none", "JobAcctGatherType=jobacct_gather/none",
             "SwitchType=switch/none", "SelectType=select/cons_tres", "SelectTypeParameters=CR_Core", "ReturnToService=2",
             "SlurmdParameters=config_overrides", f"StateSaveLocation={scratch}/state", f"SlurmdSpoolDir={scratch}/spool-%n",
             f"SlurmctldPidFile={scratch}/slurmctld.pid", f"SlurmdPidFile={scratch}/slurmd-%n.pid", f"SlurmctldLogFile={scratch}/slurmctld.log",
             f"SlurmdLogFile={scratch}/slurmd-%n.log", "SlurmctldTimeout=300", "SlurmdTimeout=300"]
    for number, node in enumerate(nodes, 1):
        lines.append(f"NodeName={node} NodeHostname={node} NodeAddr={NETWORK}.{number} CPUs=2 RealMemory=1000 State=UNKNOWN")
    lines.append(f"PartitionName=all Nodes={','.join(nodes)} Default=YES MaxTime=10 State=UP")
    return "\n".join(lines) + "\n"


class Cluster:
    def __init__(self, scratch):
        self.scratch, self.processes = scratch, []
        self.nodes = [f"sa{os.getpid()}", f"sb{os.getpid()}"]
        self.variables = environment(SLURM_CONF=scratch / "slurm.conf", OMPI_MCA_btl="tcp,self", OMPI_MCA_btl_tcp_if_include=f"{NETWORK}.0/24")

    def build(self):
        def ip(*words):
            return subprocess.run(["ip", *words], capture_output=True, text=True)
        a, b = self.nodes
        if ip("netns", "add", a).returncode != 0:
            full.skip("network namespaces are not allowed here")
        ip("netns", "add", b)
        if ip("link", "add", f"v{a}", "netns", a, "type", "veth", "peer", "name", f"v{b}", "netns", b).returncode != 0:
            full.skip("veth pairs are not allowed here")
        for number, node in enumerate(self.nodes, 1):
            ip("-n", node, "addr", "add", f"{NETWORK}.{number}/24", "dev", f"v{node}")
            ip("-n", node, "link", "set", "lo", "up")
            ip("-n", node, "link", "set", f"v{node}", "up")
        (self.scratch / "hosts").write_text(f"127.0.0.1 localhost\n{NETWORK}.1 {a}\n{NETWORK}.2 {b}\n")
        (self.scratch / "slurm.conf").write_text(configuration(self.scratch, self.nodes))
        (self.scratch / "cgroup.conf").write_text("CgroupPlugin=cgroup/v1\n")
        (self.scratch / "state").mkdir()
        # One host after another, each with a hosts file, a /tmp and a /dev/shm of its own.
        script = f'set -e; hostname "$1"; mount --bind "{self.scratch}/hosts" /etc/hosts; mount -t tmpfs none /tmp; mount -t tmpfs none /dev/shm; shift; exec "$@"'
        (self.scratch / "host.sh").write_text(script)

    def on(self, node, *words):
        """The words of a command that runs on a node, in namespaces that end with it."""
        return ["nsenter", f"--net=/run/netns/{node}", "unshare", "--uts", "--ipc", "--mount", "sh", str(self.scratch / "host.sh"), node,
                *map(str, words)]

    def start(self, name, words):
        log = open(self.scratch / f"{name}.out", "w")
        self.processes.append(subprocess.Popen(list(map(str, words)), env=self.variables, stdout=log, stderr=log, cwd=self.scratch))

    def run(self, *words, timeout=120):
        return subprocess.run(self.on(self.nodes[0], *words), env=self.variables, cwd=self.scratch, capture_output=True, text=True, timeout=timeout)

    def boot(self):
        key = self.scratch / "munge.key"
        key.write_bytes(secrets.token_bytes(128))
        key.chmod(0o600)
        s = self.scratch
        self.start("munged", ["munged", "--foreground", "--force", f"--socket={s}/munge.socket", f"--key-file={key}", f"--pid-file={s}/munge.pid",
                              f"--log-file={s}/munge.log", f"--seed-file={s}/munge.seed"])
        deadline = time.monotonic() + 20
        while not (s / "munge.socket").exists() and time.monotonic() < deadline:
            time.sleep(0.05)
        self.start("slurmctld", self.on(self.nodes[0], "slurmctld", "-D", "-f", s / "slurm.conf"))
        for node in self.nodes:
            (s / f"spool-{node}").mkdir()
            self.start(f"slurmd-{node}", self.on(node, "slurmd", "-D", "-N", node, "-f", s / "slurm.conf"))
        deadline = time.monotonic() + 90
        while time.monotonic() < deadline:
            state = self.run("sinfo", "--noheader", "--format=%t %D").stdout.split()
            if state == ["idle", "2"]:
                return True
            time.sleep(0.5)
        return False

    def logs(self):
        files = [*self.scratch.glob("*.log"), *self.scratch.glob("*.out")]
        return "\n".join(f"--- {file.name}\n" + "\n".join(file.read_text(errors="replace").splitlines()[-15:]) for file in files)

    def end(self):
        for process in reversed(self.processes):
            process.send_signal(signal.SIGTERM)
        for process in self.processes:
            try:
                process.wait(timeout=15)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        for node in self.nodes:
            subprocess.run(["ip", "netns", "del", node], capture_output=True)


def in_job(cluster, checks, program, pmi):
    """Submits, waits, and reads the file."""
    output = cluster.scratch / f"{pmi} run.h5"
    submitted = cluster.run(program, "slurm", "-N", 2, "-n", 4, "--mpi", pmi, "--name", f"job-{pmi}", "--submit", "--", "stream", "--device", "host",
                            "--footprint", "64K", "--operation", "read", "-r", 3, "-q", "-o", output)
    checks.expect(submitted.returncode == 0 and "Submitted batch job" in submitted.stdout, f"sbatch: {submitted.stdout}{submitted.stderr}")
    deadline = time.monotonic() + 90
    while time.monotonic() < deadline and cluster.run("squeue", "--noheader").stdout.strip():
        time.sleep(0.5)
    if not output.exists():
        log = "".join(file.read_text() for file in cluster.scratch.glob(f"job-{pmi}-*.log"))
        checks.expect(False, f"{pmi}: there is no result: {log}")
        return
    with h5py.File(output) as file:
        ranks = file["ranks"]
        found = ([name.decode() for name in ranks["host"][:]], list(map(int, ranks["node"][:])), list(map(int, ranks["local_rank"][:])),
                 int(file["provenance"].attrs["nodes"]), {name.decode() for name in ranks["launcher"][:]})
    a, b = cluster.nodes
    expected = ([a, a, b, b], [0, 0, 1, 1], [0, 1, 0, 1], 2, {"srun"})
    print(f"{pmi}: {found}")
    checks.expect(found == expected, f"{pmi}: expected {expected}, found {found}")


def host_file(cluster, checks, program):
    """`sparkmpi hostfile` in an allocation knows the nodes; nobody answers for a host without an agent."""
    agent = cluster.scratch / "rsh"
    agent.write_text("#!/bin/sh\nhost=$1\nshift\nexec nsenter --net=/run/netns/$host unshare --uts sh -c \"hostname $host; exec $*\"\n")
    agent.chmod(0o755)
    made = cluster.run("salloc", "--quiet", "-N", 2, program, "hostfile", "--slots", 2, "--rsh", agent)
    checks.expect(made.returncode == 0 and made.stdout.split() == [cluster.nodes[0], "slots=2", cluster.nodes[1], "slots=2"],
                  f"hostfile: exit {made.returncode}: {made.stdout}{made.stderr}")
    silent = cluster.run(program, "hostfile", "--hosts", "nowhere", "--rsh", agent)
    checks.expect(silent.returncode == 1 and "nowhere: does not answer" in silent.stderr, f"a host that is not there: {silent.stderr}")


def main():
    arguments = options_of(__doc__).parse_args()
    full.need("slurmctld", "slurmd", "srun", "munged", "ip", "nsenter")
    checks = Checks()
    # Not under /tmp: each node has a /tmp of its own, and the tree that the program was built in may lie there.
    scratch = Path(tempfile.mkdtemp(prefix="sparkmpi-slurm-", dir="/var/tmp"))
    program = Path(shutil.copy2(arguments.sparkmpi, scratch / "sparkmpi"))
    cluster = Cluster(scratch)
    try:
        cluster.build()
        up = cluster.boot()
        checks.expect(up, f"the cluster does not come up:\n{cluster.logs()}")
        if up:
            for pmi in ("pmix", "pmi2"):
                if pmi in cluster.run("srun", "--mpi=list").stderr + cluster.run("srun", "--mpi=list").stdout:
                    in_job(cluster, checks, program, pmi)
                    break
            else:
                checks.expect(False, "this Slurm has neither pmix nor pmi2")
            host_file(cluster, checks, program)
        if checks.failures:
            print(cluster.logs())
    finally:
        cluster.end()
        shutil.rmtree(scratch, ignore_errors=True)
    checks.finish()


if __name__ == "__main__":
    main()
