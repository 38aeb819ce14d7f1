#!/usr/bin/env python3
"""import, export, compare, scale and audit as a person starts them: on the published study and on runs made here.

    analysis.py --sparkmpi PATH --fixtures DIR
"""

import csv
import io
import json
import os
import pty
import re
import subprocess
import tempfile
from pathlib import Path

from launch import Checks, options_of, read_terminal, run, run_alone


def on_terminal(program, words, scratch, **variables):
    """What a person at a terminal sees, with the escape sequences."""
    leader, follower = pty.openpty()
    process = subprocess.Popen([os.path.abspath(program), *map(str, words)], stdout=follower, stderr=subprocess.DEVNULL, cwd=scratch,
                               env={**os.environ, "TERM": "xterm", "NO_COLOR": "", **variables})
    os.close(follower)
    seen = read_terminal(leader)
    process.wait(timeout=60)
    return seen.replace("\r\n", "\n")


def main():
    arguments = options_of(__doc__, "fixtures").parse_args()
    checks = Checks()
    study = arguments.fixtures.resolve() / "analysis" / "phase1_runs.json"
    with tempfile.TemporaryDirectory() as scratch:

        def start(*words):
            return run_alone(arguments.sparkmpi, words, scratch)

        audit = start("audit", study, "--device", "gb10", "--format", "json")
        checks.expect(audit.returncode == 1, f"the audit has findings, so its exit status is 1, not {audit.returncode}")
        found = {finding["check"] for finding in json.loads(audit.stdout)["findings"]}
        checks.expect({"capacity", "identical", "affine", "order", "drift"} <= found, f"the audit found only {found}")
        table = start("audit", study, "--device", "gb10", "--concurrency", "8")
        checks.expect("15.3 tokens/s" in " ".join(table.stdout.split()), "the 72B's bound at eight sequences is missing")
        compare = start("compare", study, "--by", "environment")
        for result in (table, compare):
            checks.expect(max(map(len, result.stdout.splitlines())) <= 80, "the table is wider than 80 columns")
            checks.expect("\x1b" not in result.stdout, "colour where there is no terminal")
        checks.expect([finding["check"] for finding in json.loads(start("audit", study, "--device", "gb10", "--json").stdout)["findings"]]
                      == [finding["check"] for finding in json.loads(audit.stdout)["findings"]], "--json is not --format json")
        for words in (["compare", study], ["audit", study, "--device", "gb10"], ["scale", study]):
            coloured = on_terminal(arguments.sparkmpi, words, scratch)
            plain = re.sub("\x1b\\[[0-9;]*m", "", coloured)
            checks.expect("\x1b[" in coloured and "\x1b" not in plain, f"{words}: no colour on a terminal, or more than colour")
            checks.expect(max(map(len, plain.splitlines())) <= 80, f"{words}: wider than 80 columns")
            for variables in ({"NO_COLOR": "1"}, {"TERM": "dumb"}):
                checks.expect(on_terminal(arguments.sparkmpi, words, scratch, **variables) == plain, f"{words}: with {variables} another text")
            checks.expect(start(*words).stdout == plain, f"{words}: another text where there is no terminal")
        checks.expect(compare.returncode == 0 and "different" in compare.stdout and "equivalent" in compare.stdout, compare.stderr)
        as_json = json.loads(start("compare", study, "--format", "json").stdout)
        as_csv = list(csv.DictReader(io.StringIO(start("compare", study, "--format", "csv").stdout)))
        checks.expect(len(as_json) == len(as_csv) == 18, f"{len(as_json)} and {len(as_csv)} comparisons instead of 18")
        memory = [row for row in as_json if row["metric"] == "peak_memory_bytes"]
        checks.expect(all(row["verdict"] == "different" and row["launches"] == 10 for row in memory), f"memory: {memory}")

        for name, metric, values in (("llama_bench", "decode_tokens_per_s", [129, 127]), ("nccl_tests", "bus_bandwidth_bytes_per_s", None),
                                     ("nvbandwidth", "bandwidth_bytes_per_s", None), ("trtllm_bench", "output_tokens_per_s", [120.7])):
            foreign = start("import", study.with_name(name + ".json"), "--set", "environment=docker")
            rows = [row for row in csv.DictReader(io.StringIO(foreign.stdout)) if row["metric"] == metric]
            checks.expect(foreign.returncode == 0 and rows and all(row["environment"] == "docker" for row in rows), f"import {name}: {foreign.stderr}")
            checks.expect(values is None or [float(row["value"]) for row in rows] == values, f"import {name}: {rows}")
        imported = start("import", study, "-o", "study.csv")
        checks.expect(imported.returncode == 0 and "63 launches" in imported.stderr, imported.stderr)
        checks.expect(start("import", study, "-o", "study.csv").returncode == 2, "a file was overwritten without --force")
        again = json.loads(start("compare", "study.csv", "--format", "json").stdout)
        checks.expect([row["sentence"] for row in again] == [row["sentence"] for row in as_json], "the imported study compares differently")

        for ranks in (1, 2):
            result = run(arguments.sparkmpi, ranks, ["stream", "--footprint", "64K", "--operation", "read", "-r", "5", "-o", f"np{ranks}.h5"],
                         scratch)
            checks.expect(result.returncode == 0, f"the run failed: {result.stderr}")
        rows = list(csv.DictReader(io.StringIO(start("export", "np1.h5", "np2.h5").stdout)))
        reads = [row for row in rows if row["metric"] == "read_bytes_per_s"]
        checks.expect(len(reads) == 15 and all(float(row["value"]) > 0 for row in reads), f"{len(reads)} samples exported instead of 15")
        objects = json.loads(start("export", "np2.h5", "--format", "json").stdout)
        checks.expect(objects[0]["iteration"] == 0 and objects[0]["study"] is None, f"export --format json: {objects[:1]}")
        scale = start("scale", ".")
        checks.expect(scale.returncode == 0 and "efficiency" in scale.stdout, f"scale: {scale.stderr}")
        checks.expect("no complete JSON" not in scale.stderr, scale.stderr)
        few = json.loads(start("audit", "np1.h5", "np2.h5", "--format", "json").stdout)
        checks.expect([finding["check"] for finding in few["findings"]] == ["launches"], f"two launches: {few['findings']}")

        Path(scratch, "cut.h5").write_bytes(Path(scratch, "np1.h5").read_bytes()[:2000])
        damaged = start("export", "cut.h5", "np2.h5")
        checks.expect(damaged.returncode == 0 and "cut.h5" in damaged.stderr and damaged.stdout.count("\n") > 1, f"a damaged file: {damaged.stderr}")
        for words in (["compare", "absent.h5"], ["compare", "np1.h5"], ["audit", study, "--device", "gb11"], ["compare", study, "--by", "enviroment"],
                      ["export", "np1.h5", "--format", "table"], ["scale", "np1.h5", "--over", "cores"], ["import"]):
            result = start(*words)
            checks.expect(result.returncode == 2 and result.stderr.count("\n") == 1, f"{words}: {result.returncode} {result.stderr!r}")
        for command in ("import", "export", "compare", "scale", "audit"):
            text = start(command, "--help")
            checks.expect(text.returncode == 0 and "Example: sparkmpi " + command in text.stdout, f"{command} --help has no example")
    checks.finish()


if __name__ == "__main__":
    main()
