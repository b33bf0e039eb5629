#!/usr/bin/env python3
"""Makes spearman.json: Spearman's rank correlations as scipy computes them, of vectors that both sides make by themselves.

    python tests/golden/spearman.py               compare what is there with a fresh computation
    python tests/golden/spearman.py --replace     write it

Needs scipy 1.17.1 beside requirements.txt. README.md here says what the recipes are.
"""

import argparse
import json
import platform
import sys
import warnings
from pathlib import Path

import numpy as np
import scipy
from scipy.stats import spearmanr

from method import SEED, generated

PATH = Path(__file__).resolve().parent / "spearman.json"

# By hand, where a rule is at stake: equals, signs of zero, order across zero, the smallest numbers.
SMALL = [
    ("ties on both sides", [1, 2, 2, 3, 5], [5, 6, 7, 8, 7]),
    ("ties of three", [1, 1, 1, 2, 3], [3, 1, 2, 2, 2]),
    ("zeros of both signs are one group", [0.0, -0.0, 1, -1, -0.0, 2], [1, 2, 3, 4, 5, 6]),
    ("zeros of both signs on both sides", [0.0, -0.0, 0.0, 1], [-0.0, 0.0, -1, 1]),
    ("only zeros of both signs are constant", [0.0, -0.0, 0.0], [1, 2, 3]),
    ("negative numbers order", [-3, -1, -2, 0, 1], [1, 3, 2, 4, 5]),
    ("all negative", [-3, -1, -2, -2], [0, -1, 5, 6]),
    ("denormals differ from zero", [0.0, 1e-45, 3e-45, -1e-45, 1e-40], [1, 2, 3, 4, 5]),
    ("extremes", [3.4028234663852886e38, -3.4028234663852886e38, 1e-45, -1e-45, 0.0], [1, 2, 3, 4, 5]),
    ("neighbours in the last bit", [1.0, 1.0000001192092896, 0.9999999403953552, 1.0], [1, 2, 3, 4]),
    ("constant left", [2.5] * 4, [1, 2, 3, 4]),
    ("constant right", [1, 2, 3, 4], [-1] * 4),
    ("constant both", [7] * 3, [8] * 3),
    ("length 1", [1], [2]),
    ("length 2", [1, 2], [7, 3]),
    ("length 2, constant", [1, 1], [7, 3]),
    ("length 3", [1, 2, 3], [10, 30, 20]),
    ("all equal but one", [0, 0, 0, 0, 1], [0, 0, 0, 1, 0]),
]

LENGTHS = [1, 2, 3, 5, 10, 100, 1000, 10_000, 100_000, 802_816, 1_000_000]
# Recipes of x and y; see `vector`.
PAIRS = [
    ("signed", "signed"),
    ("relu", "relu"),
    ("relu", "mixed relu"),
    ("signed", "mixed signed"),
    ("f16", "mixed f16"),
    ("levels", "mixed levels"),
]
# Those whose rules do not depend on the length.
PAIRS_OF_ONE_LENGTH = [
    ("zeros", "signed"),
    ("zeros", "mixed zeros"),
    ("denormal", "mixed denormal"),
    ("bits", "mixed bits"),
    ("one", "signed"),
    ("constant", "signed"),
    ("ascending", "descending"),
    ("ascending", "ascending"),
    ("signed", "negated"),
    ("relu", "negated"),
]


def counts(name: str, n: int) -> np.ndarray:
    """n whole numbers of 24 bits."""
    return (generated(name, [n]).astype(np.float64) * 2**24).astype(np.int64)


def vector(recipe: str, k: np.ndarray) -> np.ndarray:
    """The float32 vector that a recipe makes of whole numbers of 24 bits; exact, without rounding but where it says so."""
    n = len(k)
    match recipe:
        case "signed":
            x = (k - 2**23) / 2**23
        case "relu":  # 60 % zeros
            x = np.maximum(k - 10_066_330, 0) / 2**24
        case "f16":  # rounded to the nearest f16, half of it 0
            x = (np.maximum(k - 2**23, 0) / 2**20).astype(np.float16)
        case "levels":
            x = k * 7 // 2**24 - 3
        case "zeros":  # a quarter each -0.0 and 0.0
            x = np.where(k % 4 == 0, -0.0, np.where(k % 4 == 1, 0.0, k - 2**23))
        case "denormal":  # of both signs
            x = (((k & 0x800000) << 8) | (k & 0x7FFFFF)).astype(np.uint32).view(np.float32)
        case "bits":  # any sign and exponent; one with the exponent of infinity loses its highest bit
            bits = k << 8
            x = np.where(bits & 0x7F800000 == 0x7F800000, bits & ~0x40000000, bits).astype(np.uint32).view(np.float32)
        case "one":  # all equal but one
            x = np.where(np.arange(n) == n // 3, 1.5, 0.25)
        case "constant":
            x = np.full(n, 0.25)
        case "ascending":
            x = np.arange(n)
        case "descending":
            x = -np.arange(n)
    return x.astype(np.float32)


def pair(x: str, y: str, n: int) -> tuple[np.ndarray, np.ndarray]:
    of_x, of_y = counts("x", n), counts("y", n)
    if y == "negated":
        return vector(x, of_x), -vector(x, of_x)
    if y.startswith("mixed "):
        # Half x's numbers, half others: these correlate.
        return vector(x, of_x), vector(y.removeprefix("mixed "), (of_x + of_y) // 2)
    return vector(x, of_x), vector(y, of_y)


def rho(x, y) -> float | None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that a constant vector has none
        value = float(spearmanr(np.asarray(x, np.float32), np.asarray(y, np.float32)).statistic)
    return None if np.isnan(value) else value


def cases() -> dict[str, list]:
    small = [[name, [float(v) for v in x], [float(v) for v in y], rho(x, y)] for name, x, y in SMALL]
    recipes = [(x, y, n) for n in LENGTHS for x, y in PAIRS] + [(x, y, 1000) for x, y in PAIRS_OF_ONE_LENGTH]
    return {"small": small, "recipes": [[x, y, n, rho(*pair(x, y, n))] for x, y, n in recipes]}


def write(content: dict[str, list]):
    modules = (np, scipy)
    versions = {m.__name__: m.__version__ for m in modules} | {"python": platform.python_version()}
    about = {"script": "tests/golden/spearman.py", "command": "python tests/golden/spearman.py --replace", "seed": SEED, "versions": versions}
    parts = [f'"about": {json.dumps(about)}']
    for key, rows in content.items():
        parts.append(f'"{key}": [\n' + ",\n".join(json.dumps(row) for row in rows) + "\n]")
    PATH.write_text("{" + ",\n".join(parts) + "}\n")
    print(f"{PATH.name}: {PATH.stat().st_size} bytes written")


def compare(content: dict[str, list]) -> bool:
    """Whether the file says the same, up to another machine's rounding."""
    kept = json.loads(PATH.read_text())
    agree = True
    for key, rows in content.items():
        agree &= len(kept[key]) == len(rows)
        for (*was, old), (*now, new) in zip(kept[key], rows):
            close = old == new if None in (old, new) else abs(old - new) < 1e-12
            if was != now or not close:
                print(f"{key} {was}: {old} in the file, {new} now")
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
