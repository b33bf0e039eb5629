#!/usr/bin/env python3
"""Makes study.json: intervals, tests and effect sizes as scipy and statsmodels compute them.

    python tests/golden/study.py               compare what is there with a fresh computation
    python tests/golden/study.py --replace     write it

Needs scipy 1.17.1 and statsmodels 0.15.0 beside requirements.txt. README.md here says what the columns are.
"""

import argparse
import json
import platform
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import scipy
import statsmodels
from scipy import stats
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import confint_proportions_2indep, proportion_effectsize

from method import SEED, generated

PATH = Path(__file__).resolve().parent / "study.json"

# Hits and how many, in the one and the other group: none, all, few, many, equal, far apart.
COUNTS = [
    (0, 1, 0, 1), (1, 1, 0, 1), (0, 5, 5, 5), (5, 5, 5, 5), (3, 10, 7, 12), (19, 20, 10, 20), (98, 100, 19, 100),
    (197, 200, 182, 200), (200, 200, 200, 200), (0, 300, 1, 7), (1, 3, 2, 9), (250, 500, 250, 500), (37, 1000, 41, 911),
    (4999, 5000, 4990, 5000), (12000, 20000, 12400, 20000), (7, 8, 1, 9), (8, 14, 1, 11), (10, 20, 10, 20),
]
# Pairs: both, the first alone, the second alone, neither. The first is Newcombe's example.
PAIRS = [
    (36, 12, 2, 0), (0, 0, 0, 5), (5, 0, 0, 0), (0, 5, 0, 0), (0, 0, 7, 0), (38, 158, 2, 2), (10, 3, 3, 4), (1, 1, 0, 1),
    (180, 15, 1, 4), (0, 4, 9, 0), (500, 60, 40, 400), (2, 300, 200, 1), (3, 1, 1, 1), (10000, 3000, 2800, 5000),
]
P_VALUES = [
    [0.01, 0.04, 0.03], [0.5], [1.0, 1.0], [0.001, 0.001, 0.9, 0.02, 0.02], [0.6, 0.5, 0.4, 0.3],
    [1e-300, 1e-9, 0.049, 0.05, 0.051, 1e-9],
]


def values(name: str, n: int, recipe: str) -> list[float]:
    """n numbers that a recipe makes of a generated tensor; float64, exact."""
    u = generated(name, [n]).astype(np.float64)
    match recipe:
        case "flat":
            return u.tolist()
        case "high":  # near 1, as the probabilities of a network that is sure
            return (1 - u * u * u).tolist()
        case "ties":  # of four values
            return (np.floor(u * 4) / 4).tolist()
        case "signed":
            return (2 * u - 1).tolist()


# Two groups: recipe and length of each.
GROUPS = [
    ("flat", 5, "flat", 6), ("high", 7, "flat", 4), ("ties", 6, "ties", 6), ("signed", 3, "signed", 8), ("flat", 2, "high", 9),
    ("high", 8, "ties", 8), ("ties", 2, "ties", 2),
]
ALONE = [("flat", 40), ("high", 200), ("ties", 7), ("signed", 1001), ("flat", 2)]


def means(a, b, axis=-1):
    return np.mean(a, axis=axis) - np.mean(b, axis=axis)


def paired_newcombe(both: int, first: int, second: int, neither: int) -> list[float]:
    """Newcombe's method 10 for paired proportions (Statistics in Medicine 17, 2635, 1998), from scipy's Wilson limits."""
    n = both + first + second + neither
    (l1, u1), (l2, u2) = (wilson(both + k, n) for k in (first, second))
    p1, p2 = (both + first) / n, (both + second) / n
    product = (both + first) * (second + neither) * (both + second) * (first + neither)
    c = both * neither - first * second
    if c > n / 2:
        c -= n / 2
    elif c >= 0:
        c = 0
    phi = c / np.sqrt(product) if product else 0.0
    down = np.sqrt((p1 - l1) ** 2 - 2 * phi * (p1 - l1) * (u2 - p2) + (u2 - p2) ** 2)
    up = np.sqrt((p2 - l2) ** 2 - 2 * phi * (p2 - l2) * (u1 - p1) + (u1 - p1) ** 2)
    return [p1 - p2 - down, p1 - p2 + up]


def wilson(hits: int, of: int) -> list[float]:
    interval = stats.binomtest(hits, of).proportion_ci(0.95, method="wilson")
    return [float(interval.low), float(interval.high)]


def of_counts(a: int, n: int, b: int, m: int) -> list[float]:
    low, high = confint_proportions_2indep(a, n, b, m, method="newcomb", compare="diff", alpha=0.05)
    p = stats.fisher_exact([[a, n - a], [b, m - b]]).pvalue
    return [*wilson(a, n), float(low), float(high), float(p), float(proportion_effectsize(a / n, b / m))]


def of_pairs(*counts: int) -> list[float]:
    _, first, second, _ = counts
    p = stats.binomtest(first, first + second).pvalue if first + second else 1.0
    return [*map(float, paired_newcombe(*counts)), float(p)]


def of_groups(x: str, n: int, y: str, m: int) -> list[float]:
    a, b = np.array(values("a", n, x)), np.array(values("b", m, y))
    p = stats.permutation_test((a, b), means, vectorized=True, n_resamples=np.inf, permutation_type="independent").pvalue
    u = stats.mannwhitneyu(a, b).statistic
    both = min(n, m)
    pairs = stats.permutation_test((a[:both], b[:both]), means, vectorized=True, n_resamples=np.inf, permutation_type="samples").pvalue
    return [float(p), float(2 * u / (n * m) - 1), float(pairs)]


def of_alone(recipe: str, n: int) -> list[float]:
    """Percentile limits, once of the values themselves as if they were a bootstrap distribution, once of 200,000 resamples."""
    x = np.array(values("a", n, recipe))
    kept = SimpleNamespace(bootstrap_distribution=x)
    given = stats.bootstrap((x,), np.mean, n_resamples=0, method="percentile", bootstrap_result=kept).confidence_interval
    rng = np.random.default_rng(SEED)
    drawn = stats.bootstrap((x,), np.mean, n_resamples=200_000, method="percentile", rng=rng, batch=10_000).confidence_interval
    return [float(v) for v in (given.low, given.high, drawn.low, drawn.high, np.std(x) / np.sqrt(n))]


def cases() -> dict[str, list]:
    return {
        "counts": [[*row, *of_counts(*row)] for row in COUNTS],
        "pairs": [[*row, *of_pairs(*row)] for row in PAIRS],
        "groups": [[*row, *of_groups(*row)] for row in GROUPS],
        "alone": [[*row, *of_alone(*row)] for row in ALONE],
        "holm": [[p, multipletests(p, method="holm")[1].tolist()] for p in P_VALUES],
    }


def write(content: dict[str, list]):
    versions = {m.__name__: m.__version__ for m in (np, scipy, statsmodels)} | {"python": platform.python_version()}
    about = {"script": "tests/golden/study.py", "command": "python tests/golden/study.py --replace", "seed": SEED, "versions": versions}
    parts = [f'"about": {json.dumps(about)}']
    for key, rows in content.items():
        parts.append(f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]")
    PATH.write_text("{" + ",\n".join(parts) + "}\n")
    print(f"{PATH.name}: {PATH.stat().st_size} bytes written")


def flat(row) -> list:
    return [part for item in row for part in (flat(item) if isinstance(item, list) else [item])]


def compare(content: dict[str, list]) -> bool:
    """Whether the file says the same, up to another machine's rounding."""
    kept = json.loads(PATH.read_text())
    agree = True
    for key, rows in content.items():
        agree &= len(kept[key]) == len(rows)
        for was, now in zip(kept[key], rows):
            was, now = flat(was), flat(now)
            same = [a == b if isinstance(a, str) else abs(a - b) <= 1e-11 * max(abs(b), 1e-3) for a, b in zip(was, now)]
            if len(was) != len(now) or not all(same):
                print(f"{key}: {was} in the file, {now} now")
                agree = False
    print(f"{PATH.name}: {'agrees' if agree else 'DIFFERS'}")
    return agree


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="store_true", help="write the file instead of comparing with it")
    options = parser.parse_args()
    if options.replace:
        write(cases())
    else:
        sys.exit(not compare(cases()))


if __name__ == "__main__":
    main()
