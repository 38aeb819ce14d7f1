"""Quantises the linear layers of a checkpoint, for make_hf_fixtures.py: what is stored, and what the stored codes mean.

Layouts: AutoAWQ's GEMM kernels, compressed-tensors' and AutoFP8's float8, gpt-oss' MXFP4.
"""

from dataclasses import dataclass
from typing import Callable

import torch

GROUP = 128
AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]
E2M1 = torch.tensor([0, 0.5, 1, 1.5, 2, 3, 4, 6], dtype=torch.float64)


def awq_words(codes):
    """[lines, columns] of 4-bit codes → [lines, columns / 8] words; nibble i holds column AWQ_ORDER[i] of its eight."""
    eights = codes.reshape(codes.shape[0], -1, 8)[..., AWQ_ORDER].long()
    words = sum(eights[..., i] << (4 * i) for i in range(8))
    return torch.where(words >= 2**31, words - 2**32, words).to(torch.int32)


def awq(name, weight):
    groups = weight.double().T.reshape(-1, GROUP, weight.shape[0])  # [groups, 128 inputs, outputs]
    low, high = groups.amin(1).clamp(max=0), groups.amax(1).clamp(min=0)
    scales = ((high - low) / 15).half()
    zeros = (-low / scales.double()).round().clamp(0, 15)
    codes = (groups / scales.double()[:, None] + zeros[:, None]).round().clamp(0, 15)
    values = ((codes - zeros[:, None]) * scales.double()[:, None]).reshape(-1, weight.shape[0]).T
    stem = name.removesuffix(".weight")
    return {
        stem + ".qweight": awq_words(codes.reshape(-1, weight.shape[0])),
        stem + ".qzeros": awq_words(zeros),
        stem + ".scales": scales,
    }, values


def float8(weight, scale):
    codes = (weight.double() / scale.double()).clamp(-448, 448).float().to(torch.float8_e4m3fn)
    return codes, codes.double() * scale.double()


def fp8_rows(name, weight):
    scale = (weight.double().abs().amax(1, keepdim=True) / 448).to(torch.bfloat16)
    codes, values = float8(weight, scale)
    return {name: codes, name + "_scale": scale}, values


def fp8_tensor(name, weight):
    scale = (weight.double().abs().max() / 448).float()
    codes, values = float8(weight, scale)
    return {name: codes, name + "_scale": scale, name.removesuffix("weight") + "input_scale": torch.tensor(1.0)}, values


def mxfp4(name, weight):
    """[experts, inputs, outputs], as transformers holds gpt-oss' experts."""
    blocks = weight.double().transpose(1, 2).reshape(weight.shape[0], weight.shape[2], -1, 32)
    exponents = blocks.abs().amax(-1, keepdim=True).log2().floor() - 2
    scaled = blocks / 2**exponents
    codes = (scaled.abs()[..., None] - E2M1).abs().argmin(-1)
    values = (torch.copysign(E2M1[codes], scaled) * 2**exponents).flatten(2).transpose(1, 2)
    codes = codes + 8 * (scaled < 0)
    packed = (codes[..., 0::2] + 16 * codes[..., 1::2]).to(torch.uint8)
    return {name + "_blocks": packed, name + "_scales": (exponents[..., 0] + 127).to(torch.uint8)}, values


def is_linear(name):
    return "proj.weight" in name or ".experts." in name and name.endswith(".weight")


def is_expert(name):
    return name.endswith(("experts.gate_up_proj", "experts.down_proj"))


@dataclass
class Format:
    config: dict
    applies: Callable
    quantise: Callable


FORMATS = {
    "awq": Format(
        {"quant_method": "awq", "bits": 4, "group_size": GROUP, "version": "gemm", "zero_point": True}, is_linear, awq
    ),
    "compressed-tensors": Format(
        {
            "quant_method": "compressed-tensors",
            "format": "float-quantized",
            "ignore": ["lm_head"],
            "config_groups": {
                "group_0": {"targets": ["Linear"], "weights": {"num_bits": 8, "type": "float", "strategy": "channel"}}
            },
        },
        is_linear,
        fp8_rows,
    ),
    "fp8": Format({"quant_method": "fp8", "activation_scheme": "static"}, is_linear, fp8_tensor),
    "mxfp4": Format({"quant_method": "mxfp4", "modules_to_not_convert": ["lm_head"]}, is_expert, mxfp4),
}


def quantise(tensors, name):
    """A checkpoint's tensors → (what is stored, what it means in float64)."""
    stored, meant = {}, {}
    for key, tensor in tensors.items():
        if not FORMATS[name].applies(key):
            stored[key], meant[key] = tensor, tensor.double()
            continue
        parts, values = FORMATS[name].quantise(key, tensor)
        stored |= {part: value.contiguous() for part, value in parts.items()}
        meant[key] = values.contiguous()
    return stored, meant
