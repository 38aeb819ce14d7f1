#!/usr/bin/env python3
"""Makes the models under tests/fixtures/hf: tiny, random, one for each feature, with the results that Hugging Face
transformers computes for them. Needs torch and transformers 5; no GPU, no network.

    python3 tests/tools/make_hf_fixtures.py OUT [NAME...]

The weights are BF16, or one of the formats of quantised_fixtures.py; then transformers computes with the dequantised numbers,
as BF16 models of the same shape and not by its quantised layers. The expected logits are transformers' own, computed in float64 from those weights with eager attention.
tests/fixtures/hf/README.md says what the files hold.
"""

import argparse
import json
import math
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

import torch
import transformers
from safetensors.torch import load_file, save_file
from transformers import (
    AutoModelForCausalLM, GemmaConfig, GptOssConfig, LlamaConfig, MistralConfig, MixtralConfig, Phi3Config, Qwen2Config,
)

import quantised_fixtures

PROMPT_LENGTHS = (9, 17, 48)  # around the window of 16 and the KV block of 16, and well beyond both
NEW_TOKENS = 12
# A 16-bit KV cache moves logits by some thousandths of their spread. Seeds whose two best logits ever come closer than
# this are passed over, so that a difference in the tokens means an error and not a coin's toss.
MIN_MARGIN = 0.02
# The same for the choice of experts, in standard deviations of the router's logits.
MIN_ROUTER_MARGIN = 0.004
SEEDS = range(20000)


@dataclass
class Fixture:
    config: transformers.PretrainedConfig
    shard_size: str = "1GB"
    quantisation: str | None = None  # a key of quantised_fixtures.FORMATS


def rope(theta, **scaling):
    return {"rope_type": "default", "rope_theta": theta} | scaling


def fixtures():
    common = {"num_hidden_layers": 2, "max_position_embeddings": 512, "bos_token_id": None, "eos_token_id": None}
    llama3 = rope(
        10000.0,
        rope_type="llama3",
        factor=8.0,
        low_freq_factor=1.0,
        high_freq_factor=4.0,
        original_max_position_embeddings=64,  # with 8 pairs: one kept, two blended, five slowed by the factor
    )
    yarn = rope(
        10000.0,
        rope_type="yarn",
        factor=8.0,
        beta_fast=8.0,
        beta_slow=0.5,
        original_max_position_embeddings=64,
        truncate=False,
    )
    gpt_oss = {
        "num_attention_heads": 4, "num_key_value_heads": 2, "head_dim": 16, "vocab_size": 96, "sliding_window": 16,
        "num_experts_per_tok": 4, "rms_norm_eps": 1e-5, "rope_parameters": yarn, "pad_token_id": None,
        "layer_types": ["sliding_attention", "full_attention"],
    }
    mixtral = {
        "num_attention_heads": 4, "num_key_value_heads": 2, "vocab_size": 96, "num_local_experts": 4, "num_experts_per_tok": 2,
        "sliding_window": None, "rms_norm_eps": 1e-5, "rope_parameters": rope(1000000.0),
    }
    return {
        "llama-gqa-tied": Fixture(
            LlamaConfig(
                hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2, vocab_size=128,
                tie_word_embeddings=True, rms_norm_eps=1e-5, rope_parameters=rope(100000.0), **common,
            )
        ),
        "llama-rope3": Fixture(
            LlamaConfig(
                hidden_size=64, intermediate_size=112, num_attention_heads=4, num_key_value_heads=1, vocab_size=160,
                tie_word_embeddings=False, rms_norm_eps=1e-6, rope_parameters=llama3, **common,
            )
        ),
        # Its head_dim is not hidden_size / heads, and transformers splits it into shards.
        "mistral-window-sharded": Fixture(
            MistralConfig(
                hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2, head_dim=32,
                vocab_size=128, sliding_window=16, tie_word_embeddings=False, rms_norm_eps=1e-5,
                rope_parameters=rope(10000.0), **common,
            ),
            shard_size="70KB",
        ),
        "mistral-no-window": Fixture(
            MistralConfig(
                hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=4, vocab_size=128,
                sliding_window=None, tie_word_embeddings=False, rms_norm_eps=1e-5, rope_parameters=rope(1000000.0),
                **common,
            )
        ),
        "qwen2-bias-tied": Fixture(
            Qwen2Config(
                hidden_size=48, intermediate_size=80, num_attention_heads=3, num_key_value_heads=1, vocab_size=200,
                tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=rope(1000000.0), **common,
            )
        ),
        "qwen2-bias-untied": Fixture(
            Qwen2Config(
                hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=4, vocab_size=128,
                tie_word_embeddings=False, rms_norm_eps=1e-6, rope_parameters=rope(10000.0), **common,
            )
        ),
        # √hidden is a BF16 number, so that float64 and BF16 scale the embeddings alike.
        "gemma": Fixture(
            GemmaConfig(
                hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=1, head_dim=32,
                vocab_size=128, tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=rope(10000.0),
                pad_token_id=None, **common,
            )
        ),
        "phi3-window": Fixture(
            Phi3Config(
                hidden_size=64, intermediate_size=96, num_attention_heads=4, num_key_value_heads=2, vocab_size=96,
                sliding_window=15, tie_word_embeddings=False, rms_norm_eps=1e-5, rope_parameters=rope(10000.0),
                pad_token_id=None, **common,
            )
        ),
        "mixtral": Fixture(MixtralConfig(hidden_size=48, intermediate_size=48, **mixtral, **common)),
        "gpt-oss": Fixture(GptOssConfig(hidden_size=48, intermediate_size=32, num_local_experts=6, **gpt_oss, **common)),
        "gpt-oss-mxfp4": Fixture(
            GptOssConfig(hidden_size=64, intermediate_size=64, num_local_experts=8, **gpt_oss, **common),
            quantisation="mxfp4",
        ),
        "llama-awq": Fixture(
            LlamaConfig(
                hidden_size=128, intermediate_size=256, num_attention_heads=4, num_key_value_heads=2, vocab_size=96,
                tie_word_embeddings=False, rms_norm_eps=1e-5, rope_parameters=rope(500000.0), **common,
            ),
            quantisation="awq",
        ),
        "qwen2-fp8-rows": Fixture(
            Qwen2Config(
                hidden_size=64, intermediate_size=112, num_attention_heads=4, num_key_value_heads=2, vocab_size=96,
                tie_word_embeddings=True, rms_norm_eps=1e-6, rope_parameters=rope(1000000.0), **common,
            ),
            quantisation="compressed-tensors",
        ),
        "mixtral-fp8": Fixture(
            MixtralConfig(hidden_size=48, intermediate_size=80, **mixtral, **common), quantisation="fp8"
        ),
    }


def random_model(config, seed):
    """A float64 model whose every weight is a BF16 number and large enough for attention, biases and norms to matter."""
    generator = torch.Generator().manual_seed(seed)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", experts_implementation="eager")
    for name, parameter in sorted(model.named_parameters()):
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias"):
            values *= 0.5
        elif "norm" in name:
            values = 0.2 * values + (0 if config.model_type == "gemma" else 1)
        elif config.model_type == "gemma" and "embed" in name:
            values *= 1.2 / config.hidden_size  # it is scaled; larger, the tied head would only repeat the input
        elif name.endswith("sinks"):
            pass  # of the size of attention's logits
        elif config.model_type == "gpt_oss" and "experts" in name:
            values *= 1.2 / math.sqrt(parameter.shape[-2])  # stored input by output
        else:
            values *= 1.2 / math.sqrt(parameter.shape[-1])
        parameter.data = values.to(torch.bfloat16).to(torch.float64)
    model.tie_weights()
    return model.eval()


def least_router_margins(model):
    """Appends to the returned list, at every forward pass, by how much the last chosen expert leads the first that is not
    chosen, in standard deviations of the router's logits: the least of all tokens."""
    margins = []

    def look(module, _, output):
        chosen = module.top_k
        best = output[0].topk(chosen + 1).values
        margins.append(float((best[..., chosen - 1] - best[..., chosen]).min() / output[0].std()))

    for module in model.modules():
        if type(module).__name__.endswith("TopKRouter"):
            module.register_forward_hook(look)
    return margins


def greedy_cases(model, seed):
    """Prompts, transformers' greedy continuation through its KV cache, and the logits of one forward pass without it: one
    after the other, because most seeds fail at the first."""
    generator = torch.Generator().manual_seed(seed)
    for length in PROMPT_LENGTHS:
        prompt = torch.randint(model.config.vocab_size, (1, length), generator=generator)
        with torch.inference_mode():
            ids = model.generate(
                prompt, attention_mask=torch.ones_like(prompt), max_new_tokens=NEW_TOKENS, do_sample=False,
                eos_token_id=None, pad_token_id=0,
            )
            logits = model(input_ids=ids[:, :-1], use_cache=False).logits[0, length - 1 :]
        tokens = ids[0, length:]
        assert logits.shape[0] == NEW_TOKENS, logits.shape
        assert torch.equal(logits.argmax(-1), tokens), "transformers disagrees with itself with and without its KV cache"
        best = logits.topk(2).values
        yield {
            "input_ids": prompt[0].tolist(),
            "tokens": tokens.tolist(),
            "min_margin": float((best[:, 0] - best[:, 1]).min()),
            "logits": logits.double(),
        }


def is_decisive(case, router_margins):
    if router_margins and min(router_margins) < MIN_ROUTER_MARGIN:
        return False
    varied = len(set(case["tokens"])) >= NEW_TOKENS // 3
    return varied and case["min_margin"] > MIN_MARGIN * float(case["logits"].std())


def attempt(model, seed):
    """The model's cases, or None when one of its choices is not clear enough."""
    router_margins = least_router_margins(model)
    cases = []
    for case in greedy_cases(model, seed):
        if not is_decisive(case, router_margins):
            return None
        cases.append(case)
    return cases


def load(directory):
    return AutoModelForCausalLM.from_pretrained(directory, dtype=torch.float64, attn_implementation="eager", experts_implementation="eager").eval()


def make(name, fixture, directory):
    for seed in SEEDS:
        model = random_model(fixture.config, seed)
        if fixture.quantisation:
            with tempfile.TemporaryDirectory() as plain:
                model.to(torch.bfloat16).save_pretrained(plain)
                tensors = load_file(Path(plain, "model.safetensors"))
                stored, dequantised = quantised_fixtures.quantise(tensors, fixture.quantisation)
                save_file(dequantised, Path(plain, "model.safetensors"), metadata={"format": "pt"})
                model = load(plain)
        if cases := attempt(model, seed):
            break
    else:
        raise SystemExit(f"{name}: no seed of {SEEDS} has clear enough choices")
    if fixture.quantisation:
        config = fixture.config.to_diff_dict() | {"dtype": "bfloat16"}
        config |= {"architectures": [type(model).__name__]}
        config["quantization_config"] = quantised_fixtures.FORMATS[fixture.quantisation].config
        (directory / "config.json").write_text(json.dumps(config, indent=2, sort_keys=True) + "\n")
        save_file(stored, directory / "model.safetensors", metadata={"format": "pt"})
    else:
        model.to(torch.bfloat16).save_pretrained(directory, max_shard_size=fixture.shard_size)
        (directory / "generation_config.json").unlink(missing_ok=True)
        # What is stored is what the files give when they are read back.
        cases = attempt(load(directory), seed)
        assert cases, f"{name}: the files do not give the model that was saved"
    for case in cases:
        case["min_margin"] = round(case["min_margin"], 6)
        case["logits"] = [[round(value, 7) for value in row] for row in case["logits"].tolist()]
    expected = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "computed_in": "float64",
        "attention": "eager",
        "seed": seed,
        "cases": cases,
    }
    (directory / "expected.json").write_text(json.dumps(expected, separators=(",", ":")) + "\n")
    size = sum(file.stat().st_size for file in directory.iterdir())
    margins = [case["min_margin"] for case in cases]
    print(f"{name}: seed {seed}, {size} bytes, least margins {margins}, tokens {[case['tokens'] for case in cases]}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("out", type=Path, help="the models' directories are made here, in place of those of the same name")
    parser.add_argument("names", nargs="*", help="only these (all)")
    arguments = parser.parse_args()
    out = arguments.out
    for name, fixture in fixtures().items():
        if arguments.names and name not in arguments.names:
            continue
        shutil.rmtree(out / name, ignore_errors=True)
        (out / name).mkdir(parents=True)
        make(name, fixture, out / name)


if __name__ == "__main__":
    main()
