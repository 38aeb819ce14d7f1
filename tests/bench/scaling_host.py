#!/usr/bin/env python3
"""The program's own costs by ranks and nodes on the host device: start, gather, commit, size of the file. Nothing about speed of memory or
network: ranks share a few cores, and nodes are network namespaces of one machine.

    scaling_host.py [--bin build/default/bin] [--ranks 1,2,…,256] [--nodes 1,2,4] [--repetitions 3] [-o DIR]     needs root

Writes DIR/scaling-host.csv, one line a launch, and DIR/scaling-host.svg; `--plot-only` draws the CSV that is there. Launches are in random
order. Each is `stream --footprint 16K --operation read -r 10 --sample-rate 0` (time lines would make files longer with the time that ranks wait
for cores); before it a program that only does MPI_Init, a barrier and MPI_Finalize (bench_mpi_start) says what mpirun and MPI alone take. The
figure shows medians and all values.
"""

import argparse
import csv
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import h5py

sys.path.insert(0, str(Path(__file__).parent.parent / "e2e"))
from launch import environment  # noqa: E402
from namespace_hosts import NamespaceHosts, Unavailable  # noqa: E402
from scaling_host_figure import figure  # noqa: E402

ARGUMENTS = ["stream", "--device", "host", "--footprint", "16K", "--operation", "read", "-r", "10", "--sample-rate", "0", "--verbose"]
COLUMNS = ["order", "nodes", "ranks", "mpi_s", "start_s", "job_s", "gather_s", "commit_s", "file_bytes", "load_before"]


def launch(hosts, binaries, ranks, nodes, output):
    """One launch's line of the table; RuntimeError when it fails or its file does not hold what it should."""
    prefix, variables = hosts.mpirun(ranks, nodes), environment()
    load = os.getloadavg()[0]
    begin = time.monotonic()
    subprocess.run([*prefix, binaries / "bench_mpi_start"], env=variables, check=True, capture_output=True, timeout=600)
    mpi = time.monotonic() - begin
    begin = time.monotonic()
    with subprocess.Popen([*prefix, binaries / "sparkmpi", *ARGUMENTS, "-o", output], env=variables, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
                          text=True) as job:
        committed = took = None
        text = ""
        try:
            for line in job.stderr:
                if found := re.search(r"gather ([\d.]+) ms, commit ([\d.]+) ms", line):
                    committed, took = time.monotonic() - begin, [float(number) / 1e3 for number in found.groups()]
                text += line
        except BaseException:
            job.kill()  # its ranks end with mpirun
            raise
    whole = time.monotonic() - begin
    if job.returncode != 0 or took is None:
        raise RuntimeError(f"{ranks} ranks on {nodes} nodes: exit {job.returncode}: {text[-2000:]}")
    with h5py.File(output) as file:
        point = file["kernels/0000_stream"]
        found = (point["read_bytes_per_s"].shape[0], len(set(file["ranks/node"][:])))
        measured = float(point["outcome/end_s"][0] - point["outcome/start_s"][0])
    if found != (ranks, nodes):
        raise RuntimeError(f"the file has (ranks, nodes) = {found} instead of {(ranks, nodes)}")
    gather, commit = took
    start = committed - gather - commit - measured
    return {"nodes": nodes, "ranks": ranks, "mpi_s": f"{mpi:.3f}", "start_s": f"{start:.3f}", "job_s": f"{whole:.3f}",
            "gather_s": f"{gather:.4f}", "commit_s": f"{commit:.4f}", "file_bytes": output.stat().st_size,
            "load_before": f"{load:.1f}"}


def measure(arguments, table):
    cells = [(ranks, nodes) for ranks in arguments.ranks for nodes in arguments.nodes if nodes <= ranks] * arguments.repetitions
    random.Random(arguments.seed).shuffle(cells)
    before = len(table.read_text().splitlines()) - 1 if arguments.append and table.exists() else None
    with (NamespaceHosts(max(arguments.nodes)) as hosts, tempfile.TemporaryDirectory() as scratch,
          open(table, "w" if before is None else "a", newline="") as file):
        lines = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        if before is None:
            lines.writeheader()
        for order, (ranks, nodes) in enumerate(cells, 1 + (before or 0)):
            line = {"order": order, **launch(hosts, arguments.bin.resolve(), ranks, nodes, Path(scratch, f"{order}.h5"))}
            lines.writerow(line)
            file.flush()
            print(f"[{order}/{len(cells) + (before or 0)}] {ranks} ranks on {nodes} nodes: start {line['start_s']} s (MPI alone {line['mpi_s']} s), "
                  f"gather {line['gather_s']} s, commit {line['commit_s']} s, {line['file_bytes']} bytes", flush=True)


def summary(rows):
    """Markdown: medians by ranks and nodes."""
    print("| ranks | nodes | launches | MPI alone, s | until the point begins, s | whole launch, s | gather, ms | commit, ms | file, KiB a rank |")
    print("| --- | --- | --- | --- | --- | --- | --- | --- | --- |")
    for ranks, nodes in sorted({(row["ranks"], row["nodes"]) for row in rows}):
        cell = [row for row in rows if (row["ranks"], row["nodes"]) == (ranks, nodes)]
        median = {name: statistics.median(row[name] for row in cell) for name in COLUMNS}
        print(f"| {ranks} | {nodes} | {len(cell)} | {median['mpi_s']:.2f} | {median['start_s']:.2f} | {median['job_s']:.2f} | {1e3 * median['gather_s']:.1f} | "
              f"{1e3 * median['commit_s']:.0f} | {median['file_bytes'] / ranks / 1024:.1f} |")


def numbers(text):
    return [int(word) for word in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", type=Path, default=Path("build/default/bin"))
    parser.add_argument("--ranks", type=numbers, default=[1, 2, 4, 8, 16, 32, 64, 128, 256])
    parser.add_argument("--nodes", type=numbers, default=[1, 2, 4])
    parser.add_argument("--repetitions", type=int, default=3)
    parser.add_argument("--seed", type=int, default=1, help="of the order")
    parser.add_argument("-o", "--output", type=Path, default=Path("."))
    parser.add_argument("--append", action="store_true", help="to the table that is there")
    parser.add_argument("--plot-only", action="store_true")
    arguments = parser.parse_args()
    for ending in (signal.SIGINT, signal.SIGTERM):
        signal.signal(ending, lambda number, _: sys.exit(128 + number))  # which takes the hosts away
    arguments.output.mkdir(parents=True, exist_ok=True)
    table = arguments.output / "scaling-host.csv"
    try:
        if not arguments.plot_only:
            measure(arguments, table)
    except Unavailable as reason:
        print(f"skipped: {reason}")
        sys.exit(77)
    with open(table, newline="") as file:
        rows = [{name: float(value) if "." in value else int(value) for name, value in row.items()} for row in csv.DictReader(file)]
    (arguments.output / "scaling-host.svg").write_text(figure(rows))
    summary(rows)


if __name__ == "__main__":
    main()
