"""Greedy continuations side by side: what counts as equal, and how a difference is told."""

import numpy as np


def logits_deviation(actual, expected):
    """Largest difference of two logits in units of the expected logits' standard deviation (all rows together).

    Not relative to each logit: logits near zero are as good as others, and soft-max sees differences only.
    """
    return float(np.abs(np.asarray(actual, dtype=np.float64) - expected).max() / expected.std())


def differences(actual_tokens, actual_logits, expected_tokens, expected_logits, tolerance):
    """([a line for each thing that is wrong], largest deviation), of one prompt's continuation.

    After the first different token the two continue different texts, so logits are compared up to and including its row.
    """
    actual, expected = list(actual_tokens), list(expected_tokens)
    if len(actual) != len(expected) or np.shape(actual_logits) != np.shape(expected_logits):
        return [f"{len(actual)} tokens and logits {np.shape(actual_logits)}, expected {len(expected)} and "
                f"{np.shape(expected_logits)}"], float("nan")
    lines, rows = [], len(expected)
    for i, (a, e) in enumerate(zip(actual, expected)):
        if a != e:
            margin = expected_logits[i][e] - expected_logits[i][a]
            lines.append(f"token {i} is {a}, expected {e} (whose logit is {margin:.4f} higher)")
            rows = i + 1
            break
    off = logits_deviation(actual_logits[:rows], expected_logits[:rows])
    if not off <= tolerance:
        lines.append(f"logits differ by {off:.2g} standard deviations, tolerance {tolerance:g}")
    return lines, off


def relative_error(actual, expected):
    """Of one row of logits: the length of the difference over the length of the expected row."""
    expected = np.asarray(expected, dtype=np.float64)
    return float(np.linalg.norm(np.asarray(actual, dtype=np.float64) - expected) / np.linalg.norm(expected))


def reduced_precision_differences(actual_tokens, actual_logits, expected_tokens, expected_logits, tolerance, tied=()):
    """As differences(), for an engine that rounds activations to BF16: each row's relative error is held against the tolerance,
    and a token may differ where the expected logits of both lie closer than the tolerance times the largest logit.

    `tied` numbers the rows whose token has two experts that are as good as equal: they are not compared.
    """
    lines, worst, compared = [], 0.0, 0
    for i, (a, e) in enumerate(zip(list(actual_tokens), list(expected_tokens))):
        if i in tied:
            if a != e:
                break
            continue
        row = np.asarray(expected_logits[i], dtype=np.float64)
        error = relative_error(actual_logits[i], row)
        worst, compared = max(worst, error), compared + 1
        if not error <= tolerance:
            lines.append(f"token {i}: the logits' relative error is {error:.3g}, tolerance {tolerance:g}")
        if a != e:
            margin, allowed = row[e] - row[a], tolerance * np.abs(row).max()
            if not margin <= allowed:
                lines.append(f"token {i} is {a}, expected {e}, whose logit is {margin:.4f} higher (ties within {allowed:.4f})")
            break  # from here on the two continue different texts
    return lines, worst, compared
