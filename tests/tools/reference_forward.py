#!/usr/bin/env python3
"""The forward pass of the engine's families in NumPy float64: what the engine's results are compared with.

    reference_forward.py MODEL_DIR PROMPTS OUT.npz [-n 32] [--kv-bf16]

PROMPTS has one JSON object a line with "input_ids". OUT.npz gets, for prompt i, tokens_i [n], logits_i [n, vocab] (those
that chose each token) and margins_i [n] (best minus second best logit).

Written from the models' published definitions (RMSNorm, half-split RoPE, grouped-query attention, SwiGLU, experts; Hugging
Face's modeling files are the reference for names and layouts, checkpoint_layout.py brings them together) and sharing no code with the engine. Plain loops over sequences and
layers: only the matrix products need to be fast.
"""

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from checkpoint_layout import read_model
from safetensors_io import from_bf16, to_bf16


def yarn_frequencies(rope, frequencies, theta, head_dim):
    """YaRN's interpolation by parts: pairs with more than beta_fast turns within the original context stay, those with less
    than beta_slow are slowed by the factor, with a linear ramp over the pairs between."""
    def pair(turns):
        return head_dim * np.log(rope["original_max_position_embeddings"] / (turns * 2 * np.pi)) / (2 * np.log(theta))

    low, high = pair(rope.get("beta_fast") or 32), pair(rope.get("beta_slow") or 1)
    if rope.get("truncate", True):
        low, high = np.floor(low), np.ceil(high)
    low, high = max(low, 0), min(high, head_dim - 1)
    slow = np.clip((np.arange(head_dim // 2) - low) / (high - low if high > low else 0.001), 0, 1)
    return frequencies * (1 - slow) + frequencies / rope["factor"] * slow


def rope_frequencies(config, head_dim):
    """(radians a position turns each pair by, factor of sines and cosines): theta^(-2i/d), stretched as the configuration
    says."""
    # transformers 5 writes everything to rope_parameters; before that there were rope_theta and rope_scaling.
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    theta = rope.get("rope_theta", config.get("rope_theta", 10000.0))
    frequencies = theta ** (-np.arange(0, head_dim, 2, dtype=np.float64) / head_dim)
    kind = rope.get("rope_type", rope.get("type", "default"))
    if kind == "default":
        return frequencies, 1.0
    if kind == "yarn":
        return yarn_frequencies(rope, frequencies, theta, head_dim), 0.1 * np.log(rope["factor"]) + 1
    if kind != "llama3":
        raise ValueError(f"rope type '{kind}' is not implemented here")
    # Pairs that turn more than `high` times within the original context stay; those below `low` turns are slowed by
    # `factor`; in between the two are blended linearly in the number of turns.
    low, high = rope["low_freq_factor"], rope["high_freq_factor"]
    turns = rope["original_max_position_embeddings"] * frequencies / (2 * np.pi)
    keep = np.clip((turns - low) / (high - low), 0.0, 1.0)
    return keep * frequencies + (1 - keep) * frequencies / rope["factor"], 1.0


def rotate(vectors, positions, frequencies, magnitude):
    """Applies RoPE to [tokens, heads, head_dim]; element i pairs with i + head_dim / 2."""
    angles = positions[:, None, None] * frequencies
    cosine, sine = magnitude * np.cos(angles), magnitude * np.sin(angles)
    first, second = np.split(vectors, 2, axis=-1)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], axis=-1)


def rms_norm(x, weight, epsilon):
    return x / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + epsilon) * weight


def softmax(scores):
    scores = np.exp(scores - scores.max(axis=-1, keepdims=True))
    return scores / scores.sum(axis=-1, keepdims=True)


def silu(gate, up):
    return gate / (1 + np.exp(-gate)) * up


def gelu_tanh(gate, up):
    return 0.5 * gate * (1 + np.tanh(np.sqrt(2 / np.pi) * (gate + 0.044715 * gate**3))) * up


def clamped_swiglu(gate, up):
    gate, up = np.minimum(gate, 7.0), np.clip(up, -7.0, 7.0)
    return gate / (1 + np.exp(-1.702 * gate)) * (up + 1)


ACTIVATIONS = {"gemma": gelu_tanh, "gpt_oss": clamped_swiglu}


class Sequence:
    """One sequence's keys and values, layer by layer, each [tokens, kv_heads, head_dim]."""

    def __init__(self, layers, kv_heads, head_dim):
        empty = np.zeros((0, kv_heads, head_dim))
        self.keys = [empty] * layers
        self.values = [empty] * layers
        self.length = 0


@dataclass
class Continuation:
    """Greedy tokens of one prompt [n], the logits that chose each [n, vocab], best minus second best [n]."""

    tokens: np.ndarray
    logits: np.ndarray
    margins: np.ndarray


class Reference:
    """A model directory, its weights cast to float64 once.

    kv_bf16 rounds keys (after RoPE) and values to BF16 where they enter the cache, as an engine with a BF16 cache must.
    """

    def __init__(self, directory, kv_bf16=False):
        config = json.loads((Path(directory) / "config.json").read_text())
        self.config = config
        if config.get("use_sliding_window"):
            raise ValueError("Qwen2's use_sliding_window is not implemented here")
        self.layers = config["num_hidden_layers"]
        self.heads = config["num_attention_heads"]
        self.kv_heads = config.get("num_key_value_heads") or self.heads
        self.head_dim = config.get("head_dim") or config["hidden_size"] // self.heads
        self.epsilon = config["rms_norm_eps"]
        # Tokens a query sees, itself among them. Qwen2 names a window even when it doesn't use one; gpt-oss has it on every
        # other layer.
        window = config.get("sliding_window") if config["model_type"] in ("mistral", "phi3", "mixtral", "gpt_oss") else None
        period = 2 if config["model_type"] == "gpt_oss" else 1
        self.windows = [window if layer % period == 0 else None for layer in range(self.layers)]
        self.frequencies, self.rope_magnitude = rope_frequencies(config, self.head_dim)
        self.activation = ACTIVATIONS.get(config["model_type"], silu)
        gemma = config["model_type"] == "gemma"
        self.norm_offset, self.embedding_scale = (1, np.sqrt(config["hidden_size"])) if gemma else (0, 1)
        self.kv_bf16 = kv_bf16
        self.weights = read_model(directory, config)
        if config.get("tie_word_embeddings"):
            self.weights["lm_head.weight"] = self.weights["model.embed_tokens.weight"]

    def new_sequence(self):
        return Sequence(self.layers, self.kv_heads, self.head_dim)

    def linear(self, name, x):
        y = x @ self.weights[name + ".weight"].T
        bias = self.weights.get(name + ".bias")
        return y if bias is None else y + bias

    def norm(self, name, x):
        return rms_norm(x, self.norm_offset + self.weights[name + ".weight"], self.epsilon)

    def feed_forward(self, name, x):
        """Dense, or of one expert."""
        gate, up = self.linear(name + "gate_proj", x), self.linear(name + "up_proj", x)
        return self.linear(name + "down_proj", self.activation(gate, up))

    def experts(self, name, x):
        """Each token at its experts with the highest router logits (ties: the lower number), weighted by their softmax."""
        logits = self.linear(name + "router", x)
        chosen = np.argsort(-logits, axis=-1, kind="stable")[:, : self.config["num_experts_per_tok"]]
        weights = softmax(np.take_along_axis(logits, chosen, axis=-1))
        result = np.zeros_like(x)
        for token, (experts, shares) in enumerate(zip(chosen, weights)):
            for expert, share in zip(experts, shares):
                result[token] += share * self.feed_forward(f"{name}experts.{expert}.", x[token])
        return result

    def cached(self, x):
        return from_bf16(to_bf16(x), np.float64) if self.kv_bf16 else x

    def attend(self, sequence, layer, q, k, v):
        """Appends k and v to the sequence and returns the attention of q over it; all [tokens, heads, head_dim]."""
        positions = sequence.length + np.arange(len(q))
        keys = self.cached(rotate(k, positions, self.frequencies, self.rope_magnitude))
        keys = sequence.keys[layer] = np.concatenate([sequence.keys[layer], keys])
        values = sequence.values[layer] = np.concatenate([sequence.values[layer], self.cached(v)])
        group = self.heads // self.kv_heads
        q = rotate(q, positions, self.frequencies, self.rope_magnitude).reshape(len(q), self.kv_heads, group, self.head_dim)
        distance = positions[:, None] - np.arange(len(keys))
        hidden = (distance < 0) | (distance >= (self.windows[layer] or np.inf))
        scores = np.einsum("tkgd,skd->kgts", q, keys) / np.sqrt(self.head_dim)
        scores = np.where(hidden, -np.inf, scores)
        sinks = self.weights.get(f"model.layers.{layer}.self_attn.sinks")
        if sinks is None:
            scores = softmax(scores)
        else:
            # A sink is one more key, without a value.
            sinks = np.broadcast_to(sinks.reshape(self.kv_heads, group, 1, 1), scores.shape[:-1] + (1,))
            scores = softmax(np.concatenate([scores, sinks], axis=-1))[..., :-1]
        return np.einsum("kgts,skd->tkgd", scores, values).reshape(len(q), self.heads * self.head_dim)

    def forward(self, sequences, tokens, last_only=True):
        """Appends tokens[i] to sequences[i]; returns for each the logits after its last token [1, vocab], or after each."""
        lengths = [len(ids) for ids in tokens]
        bounds = np.concatenate([[0], np.cumsum(lengths)])
        slices = [slice(begin, end) for begin, end in zip(bounds, bounds[1:])]
        x = self.weights["model.embed_tokens.weight"][np.concatenate(tokens)] * self.embedding_scale
        for layer in range(self.layers):
            name = f"model.layers.{layer}."
            h = self.norm(name + "input_layernorm", x)
            q = self.linear(name + "self_attn.q_proj", h).reshape(len(h), self.heads, self.head_dim)
            k = self.linear(name + "self_attn.k_proj", h).reshape(len(h), self.kv_heads, self.head_dim)
            v = self.linear(name + "self_attn.v_proj", h).reshape(len(h), self.kv_heads, self.head_dim)
            attended = [self.attend(s, layer, q[part], k[part], v[part]) for s, part in zip(sequences, slices)]
            x = x + self.linear(name + "self_attn.o_proj", np.concatenate(attended))
            h = self.norm(name + "post_attention_layernorm", x)
            mlp = self.experts if name + "mlp.router.weight" in self.weights else self.feed_forward
            x = x + mlp(name + "mlp.", h)
        for sequence, length in zip(sequences, lengths):
            sequence.length += length
        if last_only:
            x, slices = x[bounds[1:] - 1], [slice(i, i + 1) for i in range(len(tokens))]
        logits = self.linear("lm_head", self.norm("model.norm", x))
        return [logits[part] for part in slices]

    def greedy(self, prompts, count):
        """Continues each prompt by `count` arg-max tokens (ties: the lowest id). Returns a Continuation for each."""
        sequences = [self.new_sequence() for _ in prompts]
        steps, tokens = [], [np.asarray(prompt) for prompt in prompts]
        for _ in range(count):
            steps.append(np.concatenate(self.forward(sequences, tokens)))
            tokens = [np.array([np.argmax(row)]) for row in steps[-1]]
        result = []
        for logits in np.stack(steps, axis=1):
            best_two = np.partition(logits, -2, axis=-1)[:, -2:]
            result.append(Continuation(np.argmax(logits, axis=-1), logits, best_two[:, 1] - best_two[:, 0]))
        return result

    def mean_surprise(self, tokens):
        """Mean negative log-likelihood of tokens[1:], in nats: how well the model predicts a text."""
        logits = self.forward([self.new_sequence()], [np.asarray(tokens[:-1])], last_only=False)[0]
        peak = logits.max(axis=-1)
        log_sum = peak + np.log(np.exp(logits - peak[:, None]).sum(axis=-1))
        return float(np.mean(log_sum - logits[np.arange(len(logits)), tokens[1:]]))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("prompts", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("-n", type=int, default=32, help="tokens to generate (32)")
    parser.add_argument("--kv-bf16", action="store_true", help="round keys and values to BF16")
    arguments = parser.parse_args()
    prompts = [json.loads(line)["input_ids"] for line in arguments.prompts.read_text().splitlines() if line.strip()]
    continuations = Reference(arguments.model, arguments.kv_bf16).greedy(prompts, arguments.n)
    arrays = {}
    for i, continuation in enumerate(continuations):
        arrays |= {f"{name}_{i}": values for name, values in vars(continuation).items()}
    np.savez(arguments.out, **arrays)


if __name__ == "__main__":
    main()
