"""Runs engine_logits and reads what it wrote."""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np


class NotDivisible(Exception):
    """The engine says that so many ranks can't divide this model."""


def run_engine(program, model, prompts, tokens, chunk=None, device="host", kv_dtype="bf16", ranks=1, all_reduce="auto"):
    """[(tokens [n], logits [n, vocab])] for each prompt, a list of token ids. `ranks` divide the model between them."""
    with tempfile.TemporaryDirectory() as scratch:
        asked, answered = Path(scratch, "prompts.jsonl"), Path(scratch, "out.bin")
        asked.write_text("".join(json.dumps({"input_ids": list(map(int, ids))}) + "\n" for ids in prompts))
        command = [program, model, asked, answered, str(tokens)] + ([str(chunk)] if chunk else [])
        command += ["--device", device, "--kv-dtype", kv_dtype]
        if ranks > 1:
            command = ["mpirun", "--oversubscribe", "--bind-to", "none", "-np", ranks, *command, "--all-reduce", all_reduce]
        done = subprocess.run([str(word) for word in command], stderr=subprocess.PIPE, text=True)
        if ranks > 1 and f"--tp {ranks}: " in done.stderr:
            raise NotDivisible(next(line for line in done.stderr.splitlines() if "--tp" in line))
        if done.returncode != 0:
            raise RuntimeError(f"{program} {model}: exit status {done.returncode}: {done.stderr}")
        data = answered.read_bytes()
    count, length, vocab = np.frombuffer(data, "<i8", 3)
    results, at = [], 24
    for _ in range(count):
        ids = np.frombuffer(data, "<i4", length, at)
        at += ids.nbytes
        logits = np.frombuffer(data, "<f4", length * vocab, at).reshape(length, vocab)
        at += logits.nbytes
        results.append((ids, logits))
    return results
