#!/usr/bin/env python3
"""Whether runs of one model divided between different numbers of ranks gave the same tokens (inference --save-tokens --save-margins).

    same_tokens.py --sparkmpi PATH [--tie 0.1] FILES…

Files are compared within model, concurrency, prompt and output length, request by request; the first run with the least --tp is the
reference. Sums in another order round differently, so a request may part from the reference where its two best logits nearly tie: at a
token whose margin in the reference is at most --tie standard deviations of the logits (the default allows each of the four logits in play an
error of 2 % of them, three times over). Exit 1 where one parts at a larger margin, or where there is nothing to compare.
"""

import argparse
import csv
import io
import math
import subprocess
import sys
from collections import defaultdict

SAME_WORK = ("concurrency", "n-prompt", "n-gen", "n-depth", "repetitions", "seed", "weights", "kv-dtype")
METRICS = ("token_id", "token_margin", "token_request", "token_repetition")


def runs_in(program, files):
    """{(model, work…): {(tp, file): {(rank, repetition, request): [(token, margin or NaN)]}}}"""
    output = subprocess.run([program, "export", "--metric", ",".join(METRICS), *files], capture_output=True,
                            text=True, check=True).stdout
    found = defaultdict(lambda: defaultdict(lambda: defaultdict(dict)))
    for row in csv.DictReader(io.StringIO(output)):
        parameters = dict(item.split("=", 1) for item in row["parameters"].split(";"))
        work = (row["model"], *(f"{name} {parameters[name]}" for name in SAME_WORK if name in parameters))
        tokens = found[work][int(parameters.get("tp", 1)), row["file"]]
        tokens[int(row["rank"]), int(row["iteration"])][row["metric"]] = float(row["value"])
    return {work: {run: requests_of(tokens) for run, tokens in runs.items()} for work, runs in found.items()}


def requests_of(tokens):
    requests = defaultdict(list)
    for (rank, _), token in sorted(tokens.items()):
        if "token_id" in token:
            requests[rank, int(token["token_repetition"]), int(token["token_request"])].append(
                (int(token["token_id"]), token.get("token_margin", math.nan)))
    return requests


def compare(reference, run, tie):
    """(sentence, whether they agree): the requests of the first group that both have."""
    whole, parted, wrong = 0, [], []
    for key, expected in reference.items():
        if key not in run:
            continue
        at = next((i for i, (a, b) in enumerate(zip(expected, run[key])) if a[0] != b[0]), None)
        if at is None:
            whole += 1
        else:
            (parted if expected[at][1] <= tie else wrong).append((at, expected[at][1]))
    if whole + len(parted) + len(wrong) == 0:
        return "no request in common", False
    text = f"{whole} of {whole + len(parted) + len(wrong)} requests are the same"
    if parted:
        text += f"; {len(parted)} part where two logits tie, the first after {min(parted)[0]} tokens, at margins up to {max(m for _, m in parted):.3f}"
    if wrong:
        at, margin = max(wrong, key=lambda each: (math.isnan(each[1]), each[1]))
        text += f"; {len(wrong)} differ, one after {at} tokens, " + (
            "and no margins were kept (--save-margins)" if math.isnan(margin) else f"at a margin of {margin:.3f}, ties are up to {tie}")
    return text, not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--sparkmpi", required=True)
    parser.add_argument("--tie", type=float, default=0.1)
    parser.add_argument("files", nargs="*")
    arguments = parser.parse_args()
    if not arguments.files:
        sys.exit("there is no result file to compare")
    compared, failed = 0, False
    for work, runs in sorted(runs_in(arguments.sparkmpi, arguments.files).items()):
        (least, first), reference = min(runs.items(), key=lambda item: item[0])
        for (tp, file), run in sorted(runs.items()):
            if (tp, file) == (least, first):
                continue
            text, agree = compare(reference, run, arguments.tie)
            compared += 1
            failed |= not agree
            print(f"{', '.join(work[:4])}: --tp {tp} against --tp {least}: {text} ({file})")
    if compared == 0:
        sys.exit("no two files hold tokens of the same work")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
