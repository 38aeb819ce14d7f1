#!/usr/bin/env python3
"""Bad input gets one clear line and a non-zero exit, alone and on several ranks.

    bad_input.py --sparkmpi PATH --fixtures DIR
"""

import json
import shutil
import struct
import tempfile
from pathlib import Path

from launch import Checks, options_of, run, run_alone


def damaged_models(fixtures, scratch):
    """{name: directory} of models that lie, made from a good one."""
    source = fixtures / "hf" / "llama-gqa-tied"
    whole = (source / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", whole[:8])[0]
    header, data = json.loads(whole[8:8 + length]), whole[8 + length:]

    def model(name, weights=None, config=None):
        directory = scratch / name
        shutil.copytree(source, directory)
        if weights is not None:
            (directory / "model.safetensors").write_bytes(weights)
        if config is not None:
            (directory / "config.json").write_text(config)
        return directory

    def with_header(change):
        altered = json.loads(json.dumps(header))
        change(altered)
        text = json.dumps(altered).encode()
        return struct.pack("<Q", len(text)) + text + data

    first = next(name for name in header if name != "__metadata__")
    config = json.loads((source / "config.json").read_text())
    without_layers = {key: value for key, value in config.items() if key != "num_hidden_layers"}
    return {
        "truncated": model("truncated", whole[:-100]),
        "short": model("short", whole[:5]),
        "huge header": model("huge-header", struct.pack("<Q", 1 << 62) + whole[8:]),
        "offset beyond the file": model("beyond", with_header(lambda h: h[first].update(data_offsets=[0, 1 << 40]))),
        "wrong shape": model("shape", with_header(lambda h: h[first].update(shape=[1, 1]))),
        "wrong dtype": model("dtype", with_header(lambda h: h[first].update(dtype="I8"))),
        "missing tensor": model("missing", config=json.dumps(config | {"num_hidden_layers": config["num_hidden_layers"] + 1})),
        "missing field": model("field", config=json.dumps(without_layers)),
        "no JSON": model("nojson", config="{"),
    }


def main():
    arguments = options_of(__doc__, "fixtures").parse_args()
    checks = Checks()
    with tempfile.TemporaryDirectory() as name:
        scratch = Path(name)
        tiny = ["-p", "8", "-n", "2", "-r", "1"]
        good = arguments.fixtures / "hf" / "llama-gqa-tied"
        (scratch / "there.h5").write_text("precious")
        (scratch / "bad.jsonl").write_text('{"input_ids": [1], "output_tokens": 1}\n{"input_ids": [999999], "output_tokens": 1}\n')
        cases = {
            "unknown kernel": (["strem"], 2, "did you mean 'stream'"),
            "unknown option": (["stream", "--footprnt", "1M"], 2, "did you mean '--footprint'"),
            "unknown model": (["inference", "-m", "SmolLM-135M"], 2, "SmolLM"),
            "no model directory": (["inference", "-m", "./nowhere"], 2, "nowhere"),
            "zero size": (["stream", "--footprint", "0"], 2, "--footprint"),
            "negative size": (["stream", "--footprint", "-1M"], 2, "--footprint"),
            "zero tokens": (["inference", "-p", "0", "-n", "0"], 2, "-p 0 -n 0"),
            "negative output": (["inference", "-n", "-1"], 2, "--n-gen"),
            "negative tokens": (["inference", "-p", "-5"], 2, "--n-prompt"),
            "zero concurrency": (["inference", "-b", "0"], 2, "--concurrency"),
            "context too long": (["inference", "-m", good, "-p", "100000", "-n", "1"], 2, "ends at"),
            "KV budget too small": (["inference", "-m", good, "-p", "64", "-n", "8", "--kv-cache", "16tok"], 2, "--kv-cache"),
            "KV budget below a block": (["inference", "-m", good, *tiny, "--kv-cache", "10"], 2, "--kv-cache"),
            "KV budget of no ledger": (["inference", "-m", good, *tiny, "--kv-cache", "0.5*meminfo.Nothing"], 1, "meminfo.Nothing"),
            "no such format": (["inference", "-m", "SmolLM2-135M", *tiny, "--weights", "int4"], 2, "--weights int4"),
            "groups that don't fit": (["inference", "-m", "SmolLM2-135M", *tiny, "--weights", "awq"], 2, "128 columns"),
            "weights of another format": (["inference", "-m", good, *tiny, "--weights", "fp8"], 2, "--synthetic"),
            "no such KV type": (["inference", "-m", good, *tiny, "--kv-dtype", "int8"], 2, "--kv-dtype int8"),
            "KV type of GPUs": (["inference", "-m", good, *tiny, "--device", "host", "--kv-dtype", "fp8"], 2, "bf16"),
            "no such way to load": (["inference", "-m", good, *tiny, "--load", "dma"], 2, "--load dma"),
            "bad data set": (["inference", "-m", good, "--dataset", "bad.jsonl"], 2, "bad.jsonl:2"),
            "no data set": (["inference", "-m", good, "--dataset", "none.jsonl"], 2, "none.jsonl"),
            "output is there": (["stream", "--footprint", "64K", "-o", "there.h5"], 2, "--force"),
            "output not writable": (["stream", "--footprint", "64K", "-o", "no/such/place.h5"], 1, "place.h5"),
            "no GPU": (["stream", "--footprint", "64K", "--device", "cuda:7"], 2, "--device"),
            "senseless device": (["stream", "--footprint", "64K", "--device", "tpu"], 2, "--device"),
            "too many threads": (["stream", "--footprint", "64K", "--threads", "9999"], 2, "--threads"),
            "unknown allocator": (["charge", "--allocators", "mallok"], 2, "did you mean 'malloc'"),
            "GPU allocators without a GPU": (["charge", "--device", "host", "--allocators", "cuda"], 2, "drives no GPU"),
            "two sizes": (["charge", "--sizes", "2M,4M"], 2, "--sizes"),
            "sizes beyond the node": (["charge", "--sizes", "1T,2T,3T"], 2, "can be had here"),
            "no scratch directory": (["charge", "--scratch", "nowhere"], 2, "--scratch nowhere"),
            "model too large": (["inference", "-m", "Qwen2.5-72B-Instruct"], 2, "72B"),
        }
        for what, directory in damaged_models(arguments.fixtures, scratch).items():
            # A configuration is read before anything is measured, weights when the kernel runs.
            cases[what] = (["inference", "-m", directory, *tiny], None, directory.name)
        for number, (what, (words, status, text)) in enumerate(cases.items()):
            output = [] if "-o" in map(str, words) else ["-o", f"out{number}.h5"]
            result = run_alone(arguments.sparkmpi, [*words, *output, "-q"], scratch)
            lines = result.stderr.strip().splitlines()
            checks.expect(result.returncode == status if status is not None else result.returncode in (1, 2),
                          f"{what}: exit {result.returncode}, expected {status}: {result.stderr}")
            checks.expect(len(lines) == 1 and lines[0].startswith("sparkmpi: "), f"{what}: not one line: {result.stderr!r}")
            checks.expect(text in result.stderr, f"{what}: '{text}' is not in: {result.stderr}")
        checks.expect((scratch / "there.h5").read_text() == "precious", "an existing file was overwritten")

        for words, text in ((["strem"], "strem"), (["stream", "--footprint", "64K", "-o", "there.h5"], "--force"),
                            (["inference", "-m", scratch / "nowhere"], "nowhere")):
            result = run(arguments.sparkmpi, 3, words, scratch)
            said = [line for line in result.stderr.splitlines() if line.startswith("sparkmpi: ")]
            checks.expect(result.returncode != 0 and len(said) == 1 and text in said[0],
                          f"on three ranks: exit {result.returncode}, said {said}")
    checks.finish()


if __name__ == "__main__":
    main()
