#!/usr/bin/env python3
"""Whether runs of one model divided between different numbers of GPUs gave the same tokens (inference --save-tokens).

    same_tokens.py --sparkmpi PATH FILES…       exit 1 where tokens differ, or where there is nothing to compare

Files are compared within model, concurrency, prompt and output length; the first run with the least --tp is the
reference.
"""

import argparse
import csv
import io
import subprocess
import sys
from collections import defaultdict

SAME_WORK = ("concurrency", "n-prompt", "n-gen", "n-depth", "repetitions", "seed", "weights", "kv-dtype")


def runs_in(program, files):
    """{(model, work): {(tp, file): {(rank, iteration): token}}}"""
    output = subprocess.run([program, "export", "--metric", "token_id", *files], capture_output=True, text=True, check=True).stdout
    found = defaultdict(lambda: defaultdict(dict))
    for row in csv.DictReader(io.StringIO(output)):
        parameters = dict(item.split("=", 1) for item in row["parameters"].split(";"))
        work = (row["model"], *(f"{name} {parameters[name]}" for name in SAME_WORK if name in parameters))
        run = found[work][int(parameters.get("tp", 1)), row["file"]]
        run[int(row["rank"]), int(row["iteration"])] = int(float(row["value"]))
    return found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sparkmpi", required=True)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    if not arguments.files:
        sys.exit("there is no result file to compare")
    compared = differing = 0
    for work, runs in sorted(runs_in(arguments.sparkmpi, arguments.files).items()):
        (least, _), reference = min(runs.items(), key=lambda item: item[0])
        for (tp, file), run in sorted(runs.items()):
            if run is reference:
                continue
            # The first member of a group records its tokens.
            first = [token for (rank, _), token in sorted(reference.items()) if rank == 0]
            other = [token for (rank, _), token in sorted(run.items()) if rank == 0]
            same = sum(a == b for a, b in zip(first, other))
            compared += 1
            if first == other:
                print(f"{', '.join(work[:4])}: --tp {tp} as --tp {least}: all {len(first)} tokens are the same")
            else:
                differing += 1
                at = next((i for i, (a, b) in enumerate(zip(first, other)) if a != b), min(len(first), len(other)))
                print(f"{', '.join(work[:4])}: --tp {tp} against --tp {least}: {same} of {len(first)} and {len(other)} tokens are the same, "
                      f"the first difference is at {at} ({file})")
    if compared == 0:
        sys.exit("no two files hold tokens of the same work")
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
