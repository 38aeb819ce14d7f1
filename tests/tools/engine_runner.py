"""Runs engine_logits and reads what it wrote."""

import json
import subprocess
import tempfile
from pathlib import Path

import numpy as np


def run_engine(program, model, prompts, tokens, chunk=None, device="host", kv_dtype="bf16"):
    """[(tokens [n], logits [n, vocab])] for each prompt, a list of token ids."""
    with tempfile.TemporaryDirectory() as scratch:
        asked, answered = Path(scratch, "prompts.jsonl"), Path(scratch, "out.bin")
        asked.write_text("".join(json.dumps({"input_ids": list(map(int, ids))}) + "\n" for ids in prompts))
        command = [program, model, asked, answered, str(tokens)] + ([str(chunk)] if chunk else [])
        command += ["--device", device, "--kv-dtype", kv_dtype]
        subprocess.run([str(word) for word in command], check=True)
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
