#!/usr/bin/env python3
"""The NumPy reference against what Hugging Face transformers computed for tests/fixtures/hf: each vouches for the other.

    hf_reference.py FIXTURES
"""

import json
import sys
from pathlib import Path

import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from comparison import differences
from reference_forward import Reference

# In standard deviations of the logits. transformers computes norms, RoPE and softmax in float32 whatever it is told, and
# the fixtures hold seven decimals; measured: at most 5e-6.
TOLERANCE = 2e-5


def main():
    failed = False
    directories = sorted(path.parent for path in Path(sys.argv[1]).glob("*/expected.json"))
    if not directories:
        sys.exit(f"{sys.argv[1]}: holds no fixtures (*/expected.json)")
    for directory in directories:
        cases = json.loads((directory / "expected.json").read_text())["cases"]
        results = Reference(directory).greedy([case["input_ids"] for case in cases], len(cases[0]["tokens"]))
        worst = 0.0
        for number, (case, result) in enumerate(zip(cases, results)):
            lines, off = differences(result.tokens, result.logits, case["tokens"], np.array(case["logits"]), TOLERANCE)
            worst = max(worst, off)
            for line in lines:
                failed = True
                print(f"{directory.name}, prompt {number}: {line}")
        print(f"{directory.name}: {len(cases)} prompts, logits within {worst:.1e} standard deviations")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
