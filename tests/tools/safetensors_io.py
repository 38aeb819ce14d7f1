"""Reading and writing of safetensors files and directories, in plain NumPy.

The format is eight bytes (little-endian length of the header), a JSON header {name: {dtype, shape, data_offsets}} and the
tensors' bytes: https://github.com/huggingface/safetensors#format. Written here, and not taken from the `safetensors`
package, because NumPy has no BF16 and because the tests need an implementation that is not the engine's.
"""

import json
from pathlib import Path

import numpy as np

DTYPES = {"F64": "<f8", "F32": "<f4", "F16": "<f2", "BF16": "<u2", "F8_E4M3": "u1"}
CODES = {"U8": "u1", "I32": "<i4"}  # of packed formats: left as they are
INDEX = "model.safetensors.index.json"


def to_bf16(values):
    """float32 array → the uint16 bit patterns of BF16, rounded to nearest, ties to even. NaN stays NaN."""
    values = np.ascontiguousarray(values, dtype="<f4")
    bits = values.view("<u4")
    rounded = (bits + np.uint32(0x7FFF) + ((bits >> np.uint32(16)) & np.uint32(1))) >> np.uint32(16)
    return np.where(np.isnan(values), np.uint32(0x7FC0), rounded).astype("<u2")


def from_bf16(bits, dtype=np.float32):
    """BF16 bit patterns → floats; exact."""
    return (bits.astype("<u4") << np.uint32(16)).view("<f4").astype(dtype)


def from_e4m3(codes, dtype=np.float32):
    """FP8 E4M3 codes → floats; exact. Sign, four bits of exponent with bias 7, three of mantissa, NaN where all seven are 1."""
    codes = codes.astype(np.int64)
    exponent, mantissa = (codes >> 3) & 15, codes & 7
    magnitude = np.where(exponent > 0, (8 + mantissa) * 2.0 ** (exponent - 10.0), mantissa * 2.0**-9)
    magnitude = np.where(codes & 127 == 127, np.nan, magnitude)
    return np.where(codes & 128, -magnitude, magnitude).astype(dtype)


DECODE = {"BF16": from_bf16, "F8_E4M3": from_e4m3}


def read_file(path, dtype=np.float32):
    """All tensors of one file, as `dtype`; integers as integers."""
    data = np.memmap(path, dtype=np.uint8, mode="r")
    header_bytes = int(data[:8].view("<u8")[0])
    header = json.loads(bytes(data[8 : 8 + header_bytes]))
    tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        begin, end = (8 + header_bytes + offset for offset in entry["data_offsets"])
        # A copy first: offsets of neighbours need not leave a tensor aligned.
        kind = entry["dtype"]
        raw = np.frombuffer(bytes(data[begin:end]), dtype=(DTYPES | CODES)[kind]).reshape(entry["shape"])
        if kind in CODES:
            tensors[name] = raw
        else:
            tensors[name] = DECODE[kind](raw, dtype) if kind in DECODE else raw.astype(dtype)
    return tensors


def read_directory(directory, dtype=np.float32):
    """All tensors of a model directory, sharded (with an index) or not."""
    directory = Path(directory)
    index = directory / INDEX
    if index.exists():
        files = sorted(set(json.loads(index.read_text())["weight_map"].values()))
    else:
        files = ["model.safetensors"]
    tensors = {}
    for file in files:
        tensors.update(read_file(directory / file, dtype))
    return tensors


def write_file(path, tensors):
    """Writes {name: float32 array} as BF16. Returns the bytes of the tensors alone."""
    header, encoded, offset = {"__metadata__": {"format": "pt"}}, [], 0
    for name, values in tensors.items():
        bits = to_bf16(values)
        header[name] = {"dtype": "BF16", "shape": list(values.shape), "data_offsets": [offset, offset + bits.nbytes]}
        encoded.append(bits)
        offset += bits.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)  # the tensors start at a multiple of 8, as the format asks
    with open(path, "wb") as file:
        file.write(len(text).to_bytes(8, "little") + text)
        for bits in encoded:
            file.write(bits.tobytes())
    return offset


def write_directory(directory, tensors, shards=1):
    """Writes model.safetensors, or `shards` files of about the same size with their index, as Hugging Face does."""
    directory = Path(directory)
    if shards == 1:
        write_file(directory / "model.safetensors", tensors)
        return
    total = sum(values.size for values in tensors.values())
    parts, taken = [{} for _ in range(shards)], 0
    for name, values in tensors.items():
        parts[min(shards - 1, taken * shards // total)][name] = values
        taken += values.size
    weight_map, total_bytes = {}, 0
    for number, part in enumerate(parts, 1):
        file = f"model-{number:05}-of-{shards:05}.safetensors"
        total_bytes += write_file(directory / file, part)
        weight_map.update(dict.fromkeys(part, file))
    index = {"metadata": {"total_size": total_bytes}, "weight_map": weight_map}
    (directory / INDEX).write_text(json.dumps(index, indent=2) + "\n")
