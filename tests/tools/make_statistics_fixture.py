#!/usr/bin/env python3
"""Expected values of analysis/statistics from SciPy and statsmodels, for tests/analysis/statistics_test.cpp.

    python3 -m venv v && v/bin/pip install numpy scipy statsmodels
    v/bin/python tests/tools/make_statistics_fixture.py > tests/fixtures/analysis/statistics.json

The versions that made the committed file are in it. Not needed to build or test the project.
"""

import itertools
import json
import math
import sys

import numpy as np
import scipy
import statsmodels
from scipy import optimize, special, stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.power import TTestIndPower
from statsmodels.stats.weightstats import ttost_ind

NAN = float("nan")
rng = np.random.default_rng(20251109)

PAIRS = {
    "normal": (rng.normal(100, 2, 10), rng.normal(101.5, 3, 12)),
    "tiny": (np.array([1.0, 2.5]), np.array([3.0, 4.5])),
    "three_two": (np.array([5.0, 7.0, 6.5]), np.array([9.0, 8.0])),
    "ties": (np.array([1, 2, 2, 3, 3, 3, 4.0]), np.array([2, 3, 3, 4, 4, 5, 5.0])),
    "all_equal": (np.full(4, 2.0), np.full(5, 2.0)),
    "constant": (np.full(4, 2.0), np.full(5, 3.0)),
    "one_constant": (np.full(4, 2.0), np.array([1.9, 2.2, 2.1, 2.4])),
    "with_nan": (np.array([1.0, NAN, 2.0, 4.0, 3.5]), np.array([2.0, 6.0, NAN, 5.5, 7.0])),
    "huge_effect": (rng.normal(0, 1, 10), rng.normal(60, 1, 10)),
    "unequal": (rng.exponential(1, 30), rng.exponential(2, 45)),
    "large": (rng.normal(0, 1, 200), rng.normal(0.2, 1.5, 180)),
}
SINGLE = {
    "three": np.array([1.0, 2.0, 4.0]),
    "four": np.array([1.0, 2.0, 4.0, 4.5]),
    "five": rng.normal(0, 1, 5),
    "six": rng.normal(0, 1, 6),
    "eleven": rng.normal(0, 1, 11),
    "twelve": rng.normal(0, 1, 12),
    "fifty": rng.normal(5, 3, 50),
    "skewed": rng.exponential(1, 40),
    "ties": np.array([1, 1, 2, 2, 2, 3, 3, 4, 5, 5.0]),
    "thousand": rng.normal(0, 1, 1000),
    "with_nan": np.array([1.0, NAN, 2.5, 2.0, 8.0, 3.0]),
    "constant": np.full(8, 3.0),
    "two": np.array([1.0, 2.0]),
}


def plain(value):
    """JSON has no NaN: null stands for it."""
    if isinstance(value, (list, tuple, np.ndarray)):
        return [plain(each) for each in value]
    value = float(value)
    if math.isnan(value):
        return None
    if math.isinf(value):
        return "inf" if value > 0 else "-inf"
    return value


def finite(values):
    return values[~np.isnan(values)]


def welch(a, b):
    a, b = finite(a), finite(b)
    with np.errstate(all="ignore"):
        result = stats.ttest_ind(b, a, equal_var=False)
    interval = result.confidence_interval(0.95) if result.pvalue == result.pvalue and np.isfinite(result.statistic) else (NAN, NAN)
    return {"t": plain(result.statistic), "p": plain(result.pvalue), "df": plain(result.df), "low": plain(interval[0]),
            "high": plain(interval[1])}


def tost(a, b, margin):
    a, b = finite(a), finite(b)
    return plain(ttost_ind(b, a, -margin, margin, usevar="unequal")[0])


def mann_whitney(a, b):
    a, b = finite(a), finite(b)
    tied = len(np.unique(np.concatenate([a, b]))) < len(a) + len(b)
    exact = not tied and len(a) * len(b) <= 2500
    result = stats.mannwhitneyu(b, a, method="exact" if exact else "asymptotic")
    return {"u": plain(result.statistic), "p": plain(result.pvalue), "exact": exact}


def effect(a, b):
    a, b = finite(a), finite(b)
    n, m = len(a), len(b)
    df = n + m - 2
    pooled = math.sqrt(((n - 1) * a.var(ddof=1) + (m - 1) * b.var(ddof=1)) / df)
    if pooled == 0:
        return {"d": None, "g": None, "low": None, "high": None}
    d = (b.mean() - a.mean()) / pooled
    correction = math.exp(special.gammaln(df / 2) - special.gammaln((df - 1) / 2)) / math.sqrt(df / 2) if df > 1 else NAN
    scale = math.sqrt(n * m / (n + m))
    t = d * scale
    ends = []
    for probability in (0.975, 0.025):
        root = optimize.brentq(lambda nc: stats.nct.cdf(t, df, nc) - probability, t - 12 - 0.5 * abs(t), t + 12 + 0.5 * abs(t),
                               xtol=1e-13) if abs(t) < 30 else NAN
        ends.append(root / scale * correction)
    return {"d": plain(d), "g": plain(d * correction), "low": plain(ends[0]), "high": plain(ends[1])}


def permutation(blocks):
    """All arrangements within blocks, in plain Python."""
    observed, choices = 0.0, []
    for values, second in blocks:
        values = np.array(values, dtype=float)
        centred = values - values.mean()
        chosen = [i for i, flag in enumerate(second) if flag]
        observed += centred[chosen].sum()
        choices.append([centred[list(c)].sum() for c in itertools.combinations(range(len(values)), len(chosen))])
    sums = [sum(each) for each in itertools.product(*choices)]
    return {"p": sum(abs(s) >= abs(observed) - 1e-9 for s in sums) / len(sums), "arrangements": len(sums)}


def bootstraps():
    cases = []
    for name, values in (("normal", rng.normal(10, 2, 20)), ("skewed", rng.exponential(3, 17)), ("eight", rng.normal(0, 1, 8))):
        entry = {"name": name, "values": plain(values), "observed": plain(values.mean())}
        percentile = stats.bootstrap((values,), np.mean, n_resamples=999, method="percentile", random_state=np.random.default_rng(1))
        bca = stats.bootstrap((values,), np.mean, n_resamples=999, method="BCa", random_state=np.random.default_rng(1))
        assert np.allclose(percentile.bootstrap_distribution, bca.bootstrap_distribution)
        entry |= {"replicates": plain(bca.bootstrap_distribution), "percentile": plain(percentile.confidence_interval),
                  "bca": plain(bca.confidence_interval),
                  "jackknife": [plain([np.delete(values, i).mean() for i in range(len(values))])]}
        cases.append(entry)
    a, b = rng.normal(5, 1, 9), rng.exponential(4, 16)
    difference = stats.bootstrap((b, a), lambda x, y, axis=-1: x.mean(axis=axis) - y.mean(axis=axis), n_resamples=999, method="BCa",
                                 vectorized=True, random_state=np.random.default_rng(2))
    percentile = stats.bootstrap((b, a), lambda x, y, axis=-1: x.mean(axis=axis) - y.mean(axis=axis), n_resamples=999,
                                 method="percentile", vectorized=True, random_state=np.random.default_rng(2))
    cases.append({"name": "two samples", "observed": plain(b.mean() - a.mean()), "replicates": plain(difference.bootstrap_distribution),
                  "percentile": plain(percentile.confidence_interval), "bca": plain(difference.confidence_interval),
                  "jackknife": [plain([b.mean() - np.delete(a, i).mean() for i in range(len(a))]),
                                plain([np.delete(b, i).mean() - a.mean() for i in range(len(b))])]})
    return cases


def main():
    document = {"made_by": {"python": sys.version.split()[0], "numpy": np.__version__, "scipy": scipy.__version__,
                            "statsmodels": statsmodels.__version__}}
    document["pairs"] = []
    for name, (a, b) in PAIRS.items():
        with np.errstate(all="ignore"):
            document["pairs"].append({
                "name": name, "a": plain(a), "b": plain(b), "welch": welch(a, b), "margin": 1.0, "tost": tost(a, b, 1.0),
                "mann_whitney": mann_whitney(a, b), "effect": effect(a, b)})
    document["single"] = []
    for name, values in SINGLE.items():
        kept = finite(values)
        usable = len(kept) >= 3 and len(np.unique(kept)) > 1
        w, p = stats.shapiro(kept) if usable else (NAN, NAN)
        positive = (kept > 0).all()
        document["single"].append({
            "name": name, "values": plain(values), "w": plain(w), "p": plain(p), "mean": plain(kept.mean()),
            "variance": plain(kept.var(ddof=1)), "median": plain(np.median(kept)),
            "harmonic": plain(stats.hmean(kept) if positive else NAN)})
    x = rng.normal(0, 1, 15)
    correlations = {"normal": (x, 0.7 * x + rng.normal(0, 1, 15)), "ties": (np.array([1, 2, 2, 3, 4, 4, 5.0]), np.array([2, 1, 3, 3, 5, 4, 4.0])),
                    "three": (np.array([1.0, 2, 3]), np.array([1.0, 3, 2])), "monotone": (np.arange(6.0), np.arange(6.0) ** 2),
                    "with_nan": (np.array([1, 2, NAN, 4, 5, 6.0]), np.array([2, NAN, 3, 1, 5, 9.0]))}
    document["correlations"] = []
    for name, (u, v) in correlations.items():
        both = ~np.isnan(u) & ~np.isnan(v)
        rho, p = stats.spearmanr(u[both], v[both])
        line = stats.linregress(u[both], v[both])
        residual = np.abs(v[both] - line.intercept - line.slope * u[both]).max()
        document["correlations"].append({"name": name, "x": plain(u), "y": plain(v), "rho": plain(rho), "p": plain(p), "slope": plain(line.slope),
                                         "intercept": plain(line.intercept), "r_squared": plain(line.rvalue ** 2), "residual": plain(residual)})
    solver = TTestIndPower()
    document["power"] = []
    for d, n, m, alpha in ((0.5, 10, 10, 0.05), (1.2, 5, 8, 0.05), (0.2, 200, 100, 0.01), (2.0, 3, 3, 0.05), (0.0, 10, 10, 0.05)):
        power = solver.power(effect_size=d, nobs1=n, alpha=alpha, ratio=m / n)
        needed = math.ceil(solver.solve_power(effect_size=d, alpha=alpha, power=0.8) - 1e-9) if d > 0 else 0
        document["power"].append({"d": d, "n": n, "m": m, "alpha": alpha, "power": plain(power), "needed": needed})
    document["multiplicity"] = []
    for p in ([0.01, 0.04, 0.03, 0.005], [0.5], [0.2, 0.2, 0.001, 0.9, 0.04, 0.04], list(rng.uniform(0, 1, 20) ** 2)):
        document["multiplicity"].append({"p": plain(p), "holm": plain(multipletests(p, method="holm")[1]),
                                         "bh": plain(multipletests(p, method="fdr_bh")[1])})
    blocks = [
        [([1.0, 2.0, 3.0, 4.0, 5.5], [False, False, True, False, True])],
        [([1.0, 2.0], [False, True]), ([3.0, 2.5], [False, True]), ([1.0, 4.0], [False, True]), ([2.0, 5.0], [False, True])],
        [([1.0, 1.0, 2.0, 2.0], [True, False, True, False]), ([5.0, 6.0, 7.0], [False, False, True])],
    ]
    document["permutation"] = [{"blocks": [{"values": v, "second": s} for v, s in each], **permutation(each)} for each in blocks]
    document["bootstrap"] = bootstraps()
    json.dump(document, sys.stdout, separators=(",", ":"), allow_nan=False)
    print()


if __name__ == "__main__":
    main()
