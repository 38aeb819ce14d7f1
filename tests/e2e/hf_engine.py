#!/usr/bin/env python3
"""An engine against what Hugging Face transformers computed for tests/fixtures/hf, prefilled whole and in pieces.

    hf_engine.py --engine-logits PATH --fixtures DIR [--device host|cuda]
"""

import argparse
import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from comparison import differences, reduced_precision_differences
from engine_runner import run_engine
from reference_forward import Reference

# Largest difference of two logits, in standard deviations of the expected ones. Keys and values rounded to BF16 move them
# by up to 0.034 (measured); against a reference that rounds them too, single precision and the roundings that it flips
# are left (measured: 0.013, with BF16 instructions).
EXACT_KV_TOLERANCE = 0.05
BF16_KV_TOLERANCE = 0.03
# Largest relative error of a row of logits on a GPU, whose products take activations in BF16.
BF16_ACTIVATIONS_TOLERANCE = 2e-2


def compare_on_cuda(program, directory, cases):
    """Whether all is well; prints what is not."""
    well = True
    prompts, length = [case["input_ids"] for case in cases], len(cases[0]["tokens"])
    for chunk in (None, 1, 5):
        worst = 0.0
        for number, (ids, logits) in enumerate(run_engine(program, directory, prompts, length, chunk, "cuda")):
            case = cases[number]
            lines, off, _ = reduced_precision_differences(ids, logits, case["tokens"], np.array(case["logits"]),
                                                          BF16_ACTIVATIONS_TOLERANCE)
            worst, well = max(worst, off), well and not lines
            for line in lines:
                print(f"{directory.name}, prompt {number}, chunk {chunk}: {line}")
        print(f"{directory.name}, chunk {chunk}, cuda: relative error of logits {worst:.1e}")
    return well


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine-logits", type=Path, required=True)
    parser.add_argument("--fixtures", type=Path, required=True)
    parser.add_argument("--device", choices=("host", "cuda"), default="host")
    arguments = parser.parse_args()
    directories = sorted(path.parent for path in arguments.fixtures.glob("*/expected.json"))
    if not directories:
        sys.exit(f"{arguments.fixtures}: holds no fixtures (*/expected.json)")
    failed = False
    for directory in directories:
        cases = json.loads((directory / "expected.json").read_text())["cases"]
        if arguments.device == "cuda":
            failed |= not compare_on_cuda(arguments.engine_logits, directory, cases)
            continue
        prompts, length = [case["input_ids"] for case in cases], len(cases[0]["tokens"])
        rounded = Reference(directory, True).greedy(prompts, length)
        for chunk in (None, 1, 5):
            worst = [0.0, 0.0]
            for number, (ids, logits) in enumerate(run_engine(arguments.engine_logits, directory, prompts, length, chunk)):
                case = cases[number]
                for i, (tokens, expected, tolerance) in enumerate([
                        (case["tokens"], np.array(case["logits"]), EXACT_KV_TOLERANCE),
                        (rounded[number].tokens, rounded[number].logits, BF16_KV_TOLERANCE)]):
                    lines, off = differences(ids, logits, tokens, expected, tolerance)
                    worst[i] = max(worst[i], off)
                    for line in lines:
                        failed = True
                        print(f"{directory.name}, prompt {number}, chunk {chunk}: {line}")
            print(f"{directory.name}, chunk {chunk}: within {worst[0]:.1e} of transformers, {worst[1]:.1e} of the rounded "
                  "reference")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
