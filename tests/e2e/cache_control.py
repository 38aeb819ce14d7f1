#!/usr/bin/env python3
"""--cache in each state, copies of a run's files, the byte balance and kv_budget, as a user sees them and as the file holds them.

    cache_control.py --sparkmpi PATH --fixtures DIR
"""

import csv
import io
import json
import os
import shutil
import tempfile
from pathlib import Path

import h5py
import numpy as np

from launch import Checks, options_of, run, run_alone

MIB = 1 << 20
INJECTED = 64 * MIB


def point(path, index=0):
    """A point's facts on rank 0, and its data sets."""
    with h5py.File(path) as file:
        group = list(file["kernels"].values())[index]
        facts = {name: data[0] for name, data in group["facts"].items() if name != "rank"}
        facts = {name: value.decode() if isinstance(value, bytes) else value for name, value in facts.items()}
        data = {name: data[()] for name, data in group.items() if isinstance(data, h5py.Dataset)}
        return facts, data


def texts(values):
    return [value.decode() for value in values]


def start(arguments, checks, words, output, ranks=1):
    done = run(arguments.sparkmpi, ranks, [*words, "-o", output], output.parent)
    checks.expect(done.returncode == 0, f"{words}: exit {done.returncode}: {done.stderr}")
    return done


def check_states(arguments, checks, scratch, model):
    inference = ["inference", "-m", model, "-p", "8", "-n", "2", "-r", "1"]
    size = (model / "model.safetensors").stat().st_size
    start(arguments, checks, inference, scratch / "keep.h5")
    facts, _ = point(scratch / "keep.h5")
    checks.expect(facts["cache_state_requested"] == "keep" and facts["cache_state_verified"] == 1, f"keep: {facts}")

    start(arguments, checks, [*inference, "--cache", "warm-model"], scratch / "warm.h5", ranks=2)
    facts, data = point(scratch / "warm.h5")
    checks.expect(facts["cache_state_verified"] == 1 and facts["cache_resident_after_bytes"] == size, f"warm-model: {facts}")
    roles = texts(data["file_role"][0])
    weights = roles.index("model")
    checks.expect(data["file_bytes"][0][weights] == size, "the weights' size is wrong")
    checks.expect(data["file_resident_start_bytes"][0][weights] == size, "warmed weights are not resident at the start")
    status = os.stat(model / "model.safetensors")
    identity = f"{os.major(status.st_dev)}:{os.minor(status.st_dev)}/{status.st_ino}"
    checks.expect(texts(data["file_id"][0])[weights] == identity, f"the weights are not {identity}")
    checks.expect(any("libc.so" in path for path in texts(data["file_path"][0])), "libc is not among the libraries")
    checks.expect(np.isnan(data["file_bytes"][1]).all(), "the node's second rank looked at files too")

    done = start(arguments, checks, [*inference, "--cache", "drop"], scratch / "drop.h5")
    facts, data = point(scratch / "drop.h5")
    checks.expect(facts["cache_state_method"] in ("drop_caches", "posix_fadvise"), f"drop: {facts}")
    if facts["cache_state_verified"] == 1:
        weights = texts(data["file_role"][0]).index("model")
        checks.expect(data["file_resident_start_bytes"][0][weights] == 0, "dropped weights are resident at the start")
        checks.expect(data["file_resident_end_bytes"][0][weights] == size, "weights that were read are not resident at the end")
    else:
        checks.expect("not verified" in done.stderr and "NOT VERIFIED" in done.stdout, f"not verified and not said: {done.stderr}")

    start(arguments, checks, ["stream", "--footprint", "64K", "--operation", "read", "--cache", f"inject={INJECTED}"], scratch / "inject.h5")
    facts, _ = point(scratch / "inject.h5")
    checks.expect(facts["cache_resident_before_bytes"] == 0 and facts["cache_resident_after_bytes"] == INJECTED, f"inject: {facts}")


def check_copies(arguments, checks, scratch, model):
    copy = scratch / "elsewhere" / "deep"
    copy.mkdir(parents=True)
    shutil.copy(model / "model.safetensors", copy / "renamed.bin")
    os.link(model / "model.safetensors", copy / "link.bin")
    done = start(arguments, checks, ["inference", "-m", model, "-p", "8", "-n", "2", "-r", "1", "--also-check", scratch / "elsewhere"],
                 scratch / "copies.h5")
    facts, data = point(scratch / "copies.h5")
    found = {path: original for path, original in zip(texts(data["file_path"][0]), texts(data["file_duplicate_of"][0])) if original}
    checks.expect(list(map(os.path.basename, found)) == ["renamed.bin"], f"copies: {found}")
    checks.expect(facts["duplicate_bytes"] == (model / "model.safetensors").stat().st_size, f"copies' bytes: {facts['duplicate_bytes']}")
    checks.expect("cached twice" in done.stdout, "the summary does not name the copy")


def check_balance(arguments, checks, scratch):
    shown = run_alone(arguments.sparkmpi, ["show", scratch / "keep.h5", "--balance", "--format", "csv"], scratch)
    rows = list(csv.DictReader(io.StringIO(shown.stdout)))
    moments = {row["to"] for row in rows}
    checks.expect({"weights_loaded", "kv_allocated", "after"} <= moments, f"moments of the balance: {moments}")
    for moment in moments:
        terms = {row["term"]: float(row["bytes"]) for row in rows if row["to"] == moment and row["bytes"] != "no answer"}
        explained = sum(value for term, value in terms.items() if term != "free change")
        checks.expect(abs(explained - terms["free change"]) < 16, f"{moment}: {explained} is not {terms['free change']}")
    as_json = json.loads(run_alone(arguments.sparkmpi, ["show", scratch / "keep.h5", "--balance", "--format", "json"], scratch).stdout)
    checks.expect(len(as_json) == len(rows), "JSON and CSV differ in rows")
    table = run_alone(arguments.sparkmpi, ["show", scratch / "keep.h5"], scratch).stdout
    checks.expect("MemFree by field, node 0" in table and "residual" in table, "show prints no balance")


def check_budgets(arguments, checks, scratch):
    done = start(arguments, checks, ["kv_budget", "-m", "SmolLM2-135M", "--device", "host", "--contexts", "8K,32K", "--inject", f"{INJECTED},{2 * INJECTED}"],
                 scratch / "kv.h5", ranks=2)
    facts, data = point(scratch / "kv.h5")
    rules, pools, states = (texts(data[name][0]) for name in ("budget_rule", "budget_pool", "budget_status"))
    injected, budget, free = (data[name][0] for name in ("budget_injected_bytes", "kv_budget_bytes", "pool_free_bytes"))
    rows = {(rule, pool, size): i for i, (rule, pool, size) in enumerate(zip(rules, pools, injected))}
    weights, per_token = data["weights_bytes"][0][0], data["kv_bytes_per_token"][0][0]
    for silent in ("cuda", "nvml"):
        row = rows["trtllm", silent, 0]
        checks.expect(states[row] == "no answer" and np.isnan(budget[row]), f"{silent} answers on a host: {budget[row]}")
    for rank in (0, 1):
        row = rows["trtllm", "MemAvailable", 0]
        expected = 0.9 * (data["pool_free_bytes"][rank][row] - weights)
        checks.expect(abs(data["kv_budget_bytes"][rank][row] - expected) < 1, f"rank {rank}: trtllm over MemAvailable is not {expected}")
        checks.expect(data["kv_budget_tokens"][rank][row] == expected // per_token, f"rank {rank}: tokens")
    for size in (INJECTED, 2 * INJECTED):
        row = rows["sglang", "MemFree", size]
        checks.expect(abs(budget[row] - (0.9 * free[row] - weights)) < 1, f"sglang over MemFree with {size}: {budget[row]}")
    checks.expect(list(data["injected_resident_bytes"][0]) == [INJECTED, 2 * INJECTED], "what was injected was not resident")
    checks.expect(np.isnan(data["injected_resident_bytes"][1]).all(), "the node's second rank injected too")
    first = data["capacity_budget"][0] == rows["trtllm", "MemAvailable", 0]
    fitting = data["concurrent_requests"][0][first]
    checks.expect(list(data["context_tokens"][0][first]) == [8192, 32768] and fitting[0] >= fitting[1] > 0, f"requests: {fitting}")
    checks.expect("KV budget (rank 0)" in done.stdout and "+64.0 MiB" in done.stdout, f"no table: {done.stdout}")


def check_bad_input(arguments, checks, scratch):
    small = ["stream", "--footprint", "64K", "--operation", "read"]
    cases = {
        "unknown state": ([*small, "--cache", "dorp"], "drop"),
        "inject without a size": ([*small, "--cache", "inject="], "--cache"),
        "inject nothing": ([*small, "--cache", "inject=0"], "--cache"),
        "inject more than there is": ([*small, "--cache", "inject=900T"], "--cache inject"),
        "no directory to look in": ([*small, "--also-check", "./nowhere"], "nowhere"),
        "budgets with more than there is": (["kv_budget", "--inject", "900T"], "--inject"),
        "one size twice": (["kv_budget", "--inject", "1M,1M"], "--inject"),
        "senseless contexts": (["kv_budget", "--contexts", "8K,0"], "--contexts"),
        "fraction above 1": (["kv_budget", "--fraction", "1.5"], "--fraction"),
        "unknown model": (["kv_budget", "-m", "Llama-9"], "Llama-9"),
    }
    for what, (words, text) in cases.items():
        done = run_alone(arguments.sparkmpi, [*words, "-q", "-o", "bad.h5"], scratch)
        lines = done.stderr.strip().splitlines()
        checks.expect(done.returncode == 2 and len(lines) == 1 and text in lines[0], f"{what}: exit {done.returncode}: {done.stderr}")
        checks.expect(not (scratch / "bad.h5").exists(), f"{what}: a result file was made")


def main():
    arguments = options_of(__doc__, "fixtures").parse_args()
    checks = Checks()
    # Not /tmp, which is a tmpfs on some machines: its pages can't be dropped.
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", "/var/tmp")) as name:
        scratch = Path(name)
        model = scratch / "model"
        shutil.copytree(arguments.fixtures / "hf" / "llama-gqa-tied", model)
        # Dirty pages can't be dropped, and warming what was never written shows nothing.
        os.sync()
        check_states(arguments, checks, scratch, model)
        check_copies(arguments, checks, scratch, model)
        check_balance(arguments, checks, scratch)
        check_budgets(arguments, checks, scratch)
        check_bad_input(arguments, checks, scratch)
    checks.finish()


if __name__ == "__main__":
    main()
