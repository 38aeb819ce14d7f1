"""A checkpoint's tensors by one set of names, whatever its family fuses and however it is quantised.

Every linear layer becomes X.weight [outputs, inputs] in float64: q_proj, k_proj, v_proj, o_proj; mlp.gate_proj, up_proj and
down_proj, or mlp.router and mlp.experts.N.gate_proj and so on.
"""

import numpy as np

from safetensors_io import read_directory

AWQ_ORDER = [0, 2, 4, 6, 1, 3, 5, 7]  # nibble i of a word holds column AWQ_ORDER[i] of its eight
E2M1 = np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6, -0.0, -0.5, -1, -1.5, -2, -3, -4, -6])


def awq_codes(words):
    """[lines, columns / 8] words → [lines, columns] codes."""
    nibbles = (words.astype(np.int64)[..., None] >> (4 * np.arange(8))) & 15
    codes = np.empty_like(nibbles)
    codes[..., AWQ_ORDER] = nibbles
    return codes.reshape(len(words), -1)


def dequantised(tensors):
    """The same tensors with every quantised layer as what it means."""
    plain = {}
    for name, values in tensors.items():
        if name.endswith(".qweight"):
            stem = name.removesuffix(".qweight")
            scales = tensors[stem + ".scales"]
            per_input = len(values) // len(scales)
            codes, zeros = awq_codes(values), awq_codes(tensors[stem + ".qzeros"])
            plain[stem + ".weight"] = ((codes - zeros.repeat(per_input, 0)) * scales.repeat(per_input, 0)).T
        elif name.endswith("_blocks"):
            stem = name.removesuffix("_blocks")
            codes = np.stack([values & 15, values >> 4], axis=-1).reshape(*values.shape[:-1], 32)
            scales = 2.0 ** (tensors[stem + "_scales"].astype(np.float64) - 127)
            weights = (E2M1[codes] * scales[..., None]).reshape(*values.shape[:-2], -1)
            plain[stem] = weights.swapaxes(-1, -2)  # as gpt-oss' BF16 files hold them: inputs first
        elif name + "_scale" in tensors:
            plain[name] = values * tensors[name + "_scale"]
        elif not name.endswith((".qzeros", ".scales", "_scales", "_scale")):
            plain[name] = values
    return plain


def split_phi3(tensors, config):
    head_dim = config.get("head_dim") or config["hidden_size"] // config["num_attention_heads"]
    query, key = config["num_attention_heads"] * head_dim, config["num_key_value_heads"] * head_dim
    for name in [name for name in tensors if "qkv_proj" in name]:
        parts = np.split(tensors.pop(name), [query, query + key])
        tensors.update({name.replace("qkv_proj", part): rows for part, rows in zip(("q_proj", "k_proj", "v_proj"), parts)})
    for name in [name for name in tensors if "gate_up_proj" in name]:
        parts = np.split(tensors.pop(name), 2)
        tensors.update({name.replace("gate_up_proj", part): rows for part, rows in zip(("gate_proj", "up_proj"), parts)})


def rename_mixtral(tensors):
    for name in list(tensors):
        new = name.replace("block_sparse_moe.gate.", "mlp.router.").replace("block_sparse_moe.", "mlp.")
        for old, part in (("w1", "gate_proj"), ("w3", "up_proj"), ("w2", "down_proj")):
            new = new.replace(f".{old}.", f".{part}.")
        tensors[new] = tensors.pop(name)


def split_gpt_oss(tensors):
    for name in [name for name in tensors if ".experts." in name]:
        fused, prefix = tensors.pop(name), name[: name.index("experts.")] + "experts."
        kind = "bias" if name.endswith("_bias") else "weight"
        for expert, values in enumerate(fused):
            values = values if kind == "bias" else values.T
            if "down_proj" in name:
                tensors[f"{prefix}{expert}.down_proj.{kind}"] = values
            else:
                tensors[f"{prefix}{expert}.gate_proj.{kind}"] = values[0::2]
                tensors[f"{prefix}{expert}.up_proj.{kind}"] = values[1::2]


def read_model(directory, config):
    tensors = dequantised(read_directory(directory, np.float64))
    if config["model_type"] == "phi3":
        split_phi3(tensors, config)
    elif config["model_type"] == "mixtral":
        rename_mixtral(tensors)
    elif config["model_type"] == "gpt_oss":
        split_gpt_oss(tensors)
    elif config["model_type"] not in ("llama", "mistral", "qwen2", "gemma"):
        raise ValueError(f"model_type '{config['model_type']}' is not implemented here")
    return tensors
