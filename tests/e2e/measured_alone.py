#!/usr/bin/env python3
"""`inference -n 0` measures prefill alone and `-p 0` decode alone; what is not measured then is absent from the file.

    measured_alone.py --sparkmpi PATH --fixtures tests/fixtures
"""

import tempfile
from pathlib import Path

import h5py

from launch import Checks, options_of, run_alone

OF_OUTPUT = {"output_tokens_per_s", "decode_tokens_per_s", "decode_bytes_per_s", "mbu_measured", "tpot_s", "itl_s", "e2e_latency_s", "token_time_s"}
OF_PROMPT = {"prefill_tokens_per_s"}
OF_BOTH = {"ttft_s"}


def main():
    arguments = options_of(__doc__, "fixtures").parse_args()
    checks = Checks()
    model = arguments.fixtures.absolute() / "hf" / "llama-gqa-tied"
    with tempfile.TemporaryDirectory() as scratch:
        for name, words, present, absent, steps in (
            ("prefill", ["-p", "48", "-n", "0"], OF_PROMPT, OF_OUTPUT | OF_BOTH, (2 * 48, 0)),
            ("decode", ["-p", "0", "-n", "16"], OF_OUTPUT, OF_PROMPT | OF_BOTH, (0, 2 * 16)),
            ("decode at a depth", ["-p", "0", "-n", "16", "-d", "40"], OF_OUTPUT, OF_PROMPT | OF_BOTH, (0, 2 * 16)),
            ("both", ["-p", "48", "-n", "16"], OF_OUTPUT | OF_PROMPT | OF_BOTH, set(), (2 * 48, 2 * 15)),
        ):
            output = Path(scratch, f"{name}.h5")
            result = run_alone(arguments.sparkmpi, ["inference", "-m", model, *words, "-r", "2", "-t", "1", "-o", output], scratch)
            checks.expect(result.returncode == 0, f"{name}: exit {result.returncode}, {result.stderr}")
            if result.returncode != 0:
                continue
            with h5py.File(output) as file:
                kernel = file["kernels"][next(iter(file["kernels"]))]
                checks.expect(present <= set(kernel), f"{name}: lacks {present - set(kernel)}")
                checks.expect(not absent & set(kernel), f"{name}: has {absent & set(kernel)}")
                counted = tuple(int(kernel[f"step_{kind}_tokens"][0].sum()) for kind in ("prefill", "decode"))
                checks.expect(counted == steps, f"{name}: steps with {counted} tokens of prompt and of output")
            shown = run_alone(arguments.sparkmpi, ["show", output], scratch)
            checks.expect(shown.returncode == 0, f"{name}: show says {shown.stderr}")
    checks.finish()


if __name__ == "__main__":
    main()
