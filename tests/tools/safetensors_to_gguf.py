#!/usr/bin/env python3
"""Turns a Hugging Face directory of the Llama architecture into a BF16 GGUF without a vocabulary, for llama.cpp's speed.

    safetensors_to_gguf.py MODEL_DIR OUT.gguf

The inverse of gguf_to_safetensors.py for the weights: the same numbers, matrices in BF16, norms in float32 as llama.cpp wants.
"""

import argparse
import json
from pathlib import Path

import gguf
import numpy as np

from gguf_to_safetensors import PER_LAYER, TOP_LEVEL
from safetensors_io import read_directory, to_bf16


def interleaved_rows(rows, heads):
    """Q or K rows from Hugging Face's RoPE order (0,d/2)(1,d/2+1)… to GGUF's (0,1)(2,3)…"""
    head_dim = rows.shape[0] // heads
    return rows.reshape(heads, 2, head_dim // 2, -1).swapaxes(1, 2).reshape(rows.shape)


def convert(directory, out):
    config = json.loads((Path(directory) / "config.json").read_text())
    if config["model_type"] != "llama" or config.get("rope_scaling"):
        raise SystemExit(f"{directory}: only the Llama architecture without RoPE scaling can be converted")
    heads, kv_heads = config["num_attention_heads"], config["num_key_value_heads"]
    writer = gguf.GGUFWriter(out, "llama")
    writer.add_block_count(config["num_hidden_layers"])
    writer.add_context_length(config["max_position_embeddings"])
    writer.add_embedding_length(config["hidden_size"])
    writer.add_feed_forward_length(config["intermediate_size"])
    writer.add_head_count(heads)
    writer.add_head_count_kv(kv_heads)
    writer.add_rope_dimension_count(config.get("head_dim") or config["hidden_size"] // heads)
    writer.add_rope_freq_base(config["rope_theta"])
    writer.add_layer_norm_rms_eps(config["rms_norm_eps"])
    writer.add_vocab_size(config["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_BF16)
    top_level = {name: original for original, name in TOP_LEVEL.items()}
    per_layer = {name: original for original, name in PER_LAYER.items()}
    for name, values in read_directory(directory, np.float32).items():
        if name in top_level:
            name = top_level[name]
        else:
            layer, part = name.removeprefix("model.layers.").removesuffix(".weight").split(".", 1)
            name = f"blk.{layer}.{per_layer[part]}.weight"
        if "attn_q." in name or "attn_k." in name:
            values = interleaved_rows(values, heads if "attn_q." in name else kv_heads)
        if values.ndim == 1:
            writer.add_tensor(name, values)
        else:
            writer.add_tensor(name, to_bf16(values).view(np.uint8), raw_dtype=gguf.GGMLQuantizationType.BF16)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("out", type=Path)
    arguments = parser.parse_args()
    convert(arguments.model, arguments.out)


if __name__ == "__main__":
    main()
