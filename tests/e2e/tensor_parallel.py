#!/usr/bin/env python3
"""One model on several ranks: the tokens of one rank, each counted once, and an end whatever happens to a member.

    tensor_parallel.py --sparkmpi PATH --fixtures tests/fixtures
"""

import os
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import h5py
import numpy as np

from launch import Checks, command, environment, kernels_in, options_of, run, run_alone

# model, sizes of a group: few KV heads, one KV head under an odd number of heads, experts in BF16, in FP8 and in MXFP4
MODELS = {"llama-gqa-tied": (2, 4), "qwen2-bias-tied": (2, 3), "mixtral": (2, 3), "mixtral-fp8": (2, 4), "gpt-oss-mxfp4": (2,)}
WORK = ["-p", "40", "-n", "24", "-b", "2", "-r", "2", "-t", "1", "--prefill-chunk", "16", "--save-tokens"]


def inference(model, *words):
    return ["inference", "-m", model, *WORK, *words]


def series(path, metric, point=0):
    """A metric's samples of each rank, NaN left out."""
    with h5py.File(path) as file:
        group = file["kernels"][sorted(file["kernels"])[point]]
        return [row[~np.isnan(row)].tolist() for row in group[metric][:]] if metric in group else []


def facts(path, point=0):
    with h5py.File(path) as file:
        group = file["kernels"][sorted(file["kernels"])[point]]
        return {name: list(group["facts"][name][:]) for name in ("tp", "tp_member", "tp_group", "weights_hash")}


def check_same_tokens(arguments, scratch, checks):
    for model, sizes in MODELS.items():
        directory = arguments.fixtures.absolute() / "hf" / model
        whole = Path(scratch, f"{model}-1.h5")
        result = run(arguments.sparkmpi, 1, inference(directory, "-o", whole), scratch)
        checks.expect(result.returncode == 0, f"{model}: {result.stderr}")
        tokens = series(whole, "token_id")[0]
        checks.expect(len(tokens) == 2 * 2 * 24, f"{model}: {len(tokens)} tokens")
        for size in sizes:
            output = Path(scratch, f"{model}-{size}.h5")
            result = run(arguments.sparkmpi, size, inference(directory, "--tp", size, "-o", output), scratch)
            what = f"{model} --tp {size}"
            checks.expect(result.returncode == 0, f"{what}: {result.stderr}")
            if result.returncode == 0:
                checks.expect(series(output, "token_id")[0] == tokens, f"{what}: other tokens than one rank's")
                hashes = facts(output)["weights_hash"]
                checks.expect(len(set(hashes)) == size, f"{what}: hashes {hashes}")
                whole_bytes, parts = series(whole, "weights_bytes")[0][0], [rank[0] for rank in series(output, "weights_bytes")]
                checks.expect(max(parts) < whole_bytes, f"{what}: members hold {parts}, the whole is {whole_bytes}")


def check_groups(arguments, scratch, checks):
    """Two groups of two: each answers once, and every rank says what it holds and reads."""
    model = arguments.fixtures.absolute() / "hf" / "llama-gqa-tied"
    output = Path(scratch, "groups.h5")
    result = run(arguments.sparkmpi, 4, inference(model, "--tp", "1,2", "-o", output), scratch)
    checks.expect(result.returncode == 0, f"groups: {result.stderr}")
    if result.returncode != 0:
        return
    stored = facts(output, 1)
    checks.expect([int(x) for x in stored["tp"]] == [2] * 4, f"tp {stored['tp']}")
    checks.expect([int(x) for x in stored["tp_member"]] == [0, 1, 0, 1], f"tp_member {stored['tp_member']}")
    checks.expect([int(x) for x in stored["tp_group"]] == [0, 0, 1, 1], f"tp_group {stored['tp_group']}")
    for metric in ("decode_tokens_per_s", "output_tokens_per_s", "ttft_s", "token_id", "step_decode_tokens"):
        counts = [len(rank) for rank in series(output, metric, 1)]
        checks.expect(counts[0] > 0 and counts == [counts[0], 0, counts[0], 0], f"{metric}: samples by rank {counts}")
    for metric in ("weights_bytes", "kv_cache_bytes", "mbu_measured", "step_bytes", "decode_bytes_per_s"):
        counts = [len(rank) for rank in series(output, metric, 1)]
        checks.expect(counts[0] > 0 and len(set(counts)) == 1, f"{metric}: samples by rank {counts}")
    one, two = series(output, "token_id", 0), series(output, "token_id", 1)
    checks.expect(one[0] == two[0] and one[0] == two[2], "--tp 2 gives other tokens than --tp 1")
    shown = run_alone(arguments.sparkmpi, ["show", output, "--per-rank"], scratch)
    checks.expect(shown.returncode == 0 and "decode_tokens_per_s" in shown.stdout, f"show: {shown.stderr}")
    compared = run_alone(arguments.sparkmpi, ["compare", output, "--by", "tp"], scratch)
    checks.expect(compared.returncode == 0, f"compare: {compared.stdout}{compared.stderr}")


def check_refusals(arguments, scratch, checks):
    model = arguments.fixtures.absolute() / "hf" / "llama-gqa-tied"
    for ranks, words, expected in (
        (4, ["--tp", "3"], "4 ranks"),
        (1, ["--tp", "2"], "1 rank"),
        (6, ["--tp", "6"], "query heads"),
    ):
        result = run(arguments.sparkmpi, ranks, inference(model, *words, "-o", Path(scratch, "refused.h5")), scratch)
        lines = [line for line in result.stderr.splitlines() if line.startswith("sparkmpi")]
        what = f"{ranks} ranks {' '.join(words)}"
        checks.expect(result.returncode == 2, f"{what}: exit {result.returncode}")
        checks.expect(len(lines) == 1 and expected in lines[0], f"{what}: says {result.stderr}")
        checks.expect(not Path(scratch, "refused.h5").exists(), f"{what}: left a file")


def members_of(process):
    """The ranks' process ids, by /proc."""
    found, parents = [], {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parents[int(entry.name)] = (int((entry / "stat").read_text().rsplit(")", 1)[1].split()[1]), (entry / "comm").read_text().strip())
            except (OSError, IndexError):
                continue
    for pid, (parent, name) in parents.items():
        while parent not in (0, process.pid):
            parent = parents.get(parent, (0, ""))[0]
        if parent == process.pid and name == "sparkmpi":
            found.append(pid)
    return found


def check_ends(arguments, scratch, checks):
    model = arguments.fixtures.absolute() / "hf" / "llama-gqa-tied"
    for what in ("a killed member", "Ctrl-C", "a signal to one member"):
        output = Path(scratch, f"{what}.h5")
        words = inference(model, "--tp", "2", "-o", output)
        words[words.index("-r") + 1] = "100000"
        process = subprocess.Popen(command(arguments.sparkmpi, 2, words), env=environment(), stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                   text=True, cwd=scratch)
        deadline = time.monotonic() + 60
        while not output.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        time.sleep(3)
        checks.expect(process.poll() is None, f"{what}: ended before its time")
        if what == "a killed member":
            os.kill(max(members_of(process)), signal.SIGKILL)
        elif what == "Ctrl-C":
            process.send_signal(signal.SIGINT)
        else:
            os.kill(max(members_of(process)), signal.SIGINT)
        try:
            _, stderr = process.communicate(timeout=60)
        except subprocess.TimeoutExpired:
            process.kill()
            checks.expect(False, f"{what}: the others wait for ever")
            continue
        checks.expect(process.returncode != 0, f"{what}: exit {process.returncode}")
        if what == "a killed member":
            continue
        stored = kernels_in(output)
        checks.expect(list(stored.values()) == [False], f"{what}: {stored} {stderr}")
        with h5py.File(output) as file:
            reasons = {text.decode() for text in file["kernels"][next(iter(stored))]["outcome/stop_reason"][:]}
        checks.expect(reasons == {"interrupted"}, f"{what}: {reasons}")
        kept = [len(rank) for rank in series(output, "output_tokens_per_s")]
        checks.expect(kept[0] > 0 and kept[1] == 0, f"{what}: kept {kept}")


def main():
    arguments = options_of(__doc__, "fixtures").parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as scratch:
        check_same_tokens(arguments, scratch, checks)
        check_groups(arguments, scratch, checks)
        check_refusals(arguments, scratch, checks)
        check_ends(arguments, scratch, checks)
    checks.finish()


if __name__ == "__main__":
    main()
