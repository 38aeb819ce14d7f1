#!/usr/bin/env python3
"""Larger random models of every family, made by Hugging Face transformers here and now, on the GPU engine.

    live_parity.py --engine-logits PATH [--family llama,gemma …] [--tokens 64] [--kv-dtype bf16]

Needs torch with CUDA and transformers 5. transformers computes in single precision from the same BF16 weights, with keys and values
rounded to what the engine's cache keeps. Each row of logits must agree within 2e-2 (relative error; 5e-2 with an FP8 cache, where a
rounding that falls the other way is 6 % of a value), and greedy tokens wherever the two best logits are further apart than that.
With experts, a token whose last chosen expert and first one left out tie within BF16's roundings may take the other one: such
rows are left out, and the others, which see these tokens' keys and values, are held to 1e-1.
"""

import argparse
import math
import sys
import tempfile
from pathlib import Path

import numpy as np
import torch
import transformers

sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tools"))
from comparison import reduced_precision_differences
from engine_runner import run_engine

TOLERANCE = 2e-2
EXPERTS_TOLERANCE = 1e-1
# A key or value next to a boundary of its coarse codes may be rounded to the other side: of a thousand rows a few then differ
# by more than 4e-2.
FP8_KV_TOLERANCE = 5e-2
PROMPT_LENGTHS = (5, 130, 700)
# A comparison ends where a tie makes the texts part, with experts or a coarser cache after some tokens: many short ones make
# up for it.
MANY_PROMPT_LENGTHS = PROMPT_LENGTHS + (20,) * 24
LEAST_COMPARED = 64  # rows in all, below which a family has not been tested
CHUNKS = (None, 96)  # 700 tokens in pieces, beside decoding neighbours


class RoundedCache(transformers.DynamicCache):
    """Keys and values as the engine's cache keeps them."""

    def __init__(self, config, kv_dtype):
        super().__init__(config=config)
        self.kept_as = torch.float8_e4m3fn if kv_dtype == "fp8" else torch.bfloat16

    def rounded(self, states):
        limit = torch.finfo(self.kept_as).max
        return states.clamp(-limit, limit).to(self.kept_as).to(states.dtype)

    def update(self, key_states, value_states, *arguments, **keywords):
        return super().update(self.rounded(key_states), self.rounded(value_states), *arguments, **keywords)


def rope(theta, **scaling):
    return {"rope_type": "default", "rope_theta": theta} | scaling


def configs():
    common = {"num_hidden_layers": 4, "max_position_embeddings": 4096, "bos_token_id": None, "eos_token_id": None,
              "pad_token_id": None, "vocab_size": 8192}
    llama3 = rope(500000.0, rope_type="llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0,
                  original_max_position_embeddings=512)
    yarn = rope(150000.0, rope_type="yarn", factor=32.0, beta_fast=32.0, beta_slow=1.0, truncate=False,
                original_max_position_embeddings=4096)
    return {
        "llama": transformers.LlamaConfig(hidden_size=1024, intermediate_size=2816, num_attention_heads=8,
                                          num_key_value_heads=2, rope_parameters=llama3, **common),
        "mistral": transformers.MistralConfig(hidden_size=768, intermediate_size=2048, num_attention_heads=12,
                                              num_key_value_heads=4, head_dim=64, sliding_window=100,
                                              rope_parameters=rope(10000.0), **common),
        "qwen2": transformers.Qwen2Config(hidden_size=896, intermediate_size=2432, num_attention_heads=7,
                                          num_key_value_heads=1, tie_word_embeddings=True, rope_parameters=rope(1000000.0),
                                          **common),
        "gemma": transformers.GemmaConfig(hidden_size=512, intermediate_size=2048, num_attention_heads=4,
                                          num_key_value_heads=1, head_dim=256, rope_parameters=rope(10000.0), **common),
        "phi3": transformers.Phi3Config(hidden_size=768, intermediate_size=2048, num_attention_heads=8,
                                        num_key_value_heads=8, sliding_window=255, rope_parameters=rope(10000.0), **common),
        "mixtral": transformers.MixtralConfig(hidden_size=512, intermediate_size=1024, num_attention_heads=8,
                                              num_key_value_heads=2, num_local_experts=8, num_experts_per_tok=2,
                                              rope_parameters=rope(1000000.0), **common),
        "gpt_oss": transformers.GptOssConfig(hidden_size=512, intermediate_size=512, num_attention_heads=16,
                                             num_key_value_heads=2, head_dim=64, num_local_experts=16, num_experts_per_tok=4,
                                             sliding_window=128, rope_parameters=yarn, **common),
    }


def random_model(config, seed):
    """Every weight a BF16 number, large enough for attention, biases, norms and sinks to matter."""
    generator = torch.Generator().manual_seed(seed)
    model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager")
    for name, parameter in sorted(model.named_parameters()):
        values = torch.randn(parameter.shape, generator=generator)
        if name.endswith("bias") or name.endswith("sinks"):
            values *= 0.3
        elif "norm" in name:
            values = (0 if config.model_type == "gemma" else 1) + 0.1 * values
        else:
            # gpt-oss holds its experts' matrices transposed.
            transposed = config.model_type == "gpt_oss" and "experts" in name
            values *= 1.0 / math.sqrt(parameter.shape[-2 if transposed else -1])
        parameter.data = values.to(torch.bfloat16)
    model.tie_weights()
    return model.eval()


def routing_tie(router_logits, chosen):
    """Whether the last token's routing is a coin's toss in any layer."""
    for layer in router_logits:
        best = layer[-1].float().sort(descending=True).values
        if float(best[chosen - 1] - best[chosen]) < TOLERANCE * float(best.abs().max()):
            return True
    return False


def greedy(model, prompt, count, kv_dtype):
    """(tokens, logits [count, vocab], numbers of the rows whose experts tie) by transformers on the GPU."""
    chosen = getattr(model.config, "num_experts_per_tok", None)
    routing = {"output_router_logits": True} if chosen else {}
    ids = torch.tensor([prompt], device="cuda")
    rows, ties, cache = [], set(), RoundedCache(model.config, kv_dtype)
    with torch.inference_mode():
        for number in range(count):
            step = model(input_ids=ids, past_key_values=cache, use_cache=True, **routing)
            if chosen and routing_tie(step.router_logits, chosen):
                ties.add(number)
            rows.append(step.logits[0, -1].float().cpu().numpy())
            ids = torch.tensor([[int(rows[-1].argmax())]], device="cuda")
    return [int(row.argmax()) for row in rows], np.stack(rows), ties


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--engine-logits", type=Path, required=True)
    parser.add_argument("--family", default=",".join(configs()), help="a list (all)")
    parser.add_argument("--tokens", type=int, default=64)
    parser.add_argument("--kv-dtype", choices=("bf16", "fp8"), default="bf16")
    arguments = parser.parse_args()
    torch.backends.cuda.matmul.allow_tf32 = False
    failed = False
    for family in arguments.family.split(","):
        experts = family in ("mixtral", "gpt_oss")
        tolerance = EXPERTS_TOLERANCE if experts else TOLERANCE
        if arguments.kv_dtype == "fp8":
            tolerance = max(tolerance, FP8_KV_TOLERANCE)
        with tempfile.TemporaryDirectory() as directory:
            model = random_model(configs()[family], 1)
            model.save_pretrained(directory)
            generator = torch.Generator().manual_seed(2)
            lengths = MANY_PROMPT_LENGTHS if experts or arguments.kv_dtype == "fp8" else PROMPT_LENGTHS
            prompts = [torch.randint(8192, (length,), generator=generator).tolist() for length in lengths]
            model = model.to("cuda", torch.float32)
            expected = [greedy(model, prompt, arguments.tokens, arguments.kv_dtype) for prompt in prompts]
            for chunk in CHUNKS:
                rows_compared = 0
                try:
                    actual = run_engine(arguments.engine_logits, directory, prompts, arguments.tokens, chunk, "cuda",
                                        arguments.kv_dtype)
                except Exception as error:  # one family that cannot run hides none of the others
                    print(f"{family}: {error}")
                    failed = True
                    break
                for prompt, (ids, logits), (tokens, rows, ties) in zip(prompts, actual, expected):
                    lines, worst, compared = reduced_precision_differences(ids, logits, tokens, rows, tolerance, ties)
                    failed |= bool(lines)
                    rows_compared += compared
                    print(f"{family}, prompt of {len(prompt)}, chunk {chunk}, KV {arguments.kv_dtype}: {compared} tokens compared,"
                          f" relative error {worst:.2e}", *lines[:4], sep="\n  ")
                if rows_compared < LEAST_COMPARED:
                    failed = True
                    print(f"{family}, chunk {chunk}: only {rows_compared} rows compared, at least {LEAST_COMPARED} wanted")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
