#!/usr/bin/env python3
"""Makes kid.json: KID from its definition (Binkowski et al., 2018) with PyTorch, on small samples.

    python tests/golden/kid.py               compare what is there with a fresh computation
    python tests/golden/kid.py --replace     write it
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import torch

PATH = Path(__file__).resolve().parent / "kid.json"


def mmd2(x, y):
    """The unbiased estimate of MMD² with k(x, y) = (x·y/d + 1)³, as torchmetrics' poly_mmd with its default kernel."""
    d, n, m = x.shape[1], len(x), len(y)
    xx, yy, xy = ((a @ b.T / d + 1) ** 3 for a, b in ((x, x), (y, y), (x, y)))
    within = (xx.sum() - xx.trace()) / (n * (n - 1)) + (yy.sum() - yy.trace()) / (m * (m - 1))
    return (within - 2 * xy.mean()).item()


def rows():
    generator = torch.Generator().manual_seed(0)
    made = []
    for n, m, d, shift in ((2, 2, 1, 0.0), (3, 7, 5, 0.5), (12, 9, 33, 0.0), (40, 64, 16, 1.0)):
        # Features after a ReLU, in eighths, so that they are exact in few digits.
        x, y = ((torch.randn(k, d, generator=generator).relu() * 8).round().double() / 8 + s for k, s in ((n, shift), (m, 0.0)))
        made.append({"x": x.tolist(), "y": y.tolist(), "kid": mmd2(x, y)})
    return made


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="store_true", help="write the file instead of comparing with it")
    if parser.parse_args().replace:
        about = {"script": "tests/golden/kid.py", "versions": {"torch": torch.__version__, "python": platform.python_version()}}
        lines = ",\n".join(json.dumps(row) for row in rows())
        PATH.write_text(f'{{"about": {json.dumps(about)},\n"rows": [\n{lines}\n]}}\n')
        sys.exit()
    kept = json.loads(PATH.read_text())["rows"]
    same = [row["x"] for row in kept] == [row["x"] for row in rows()]
    close = all(abs(a["kid"] - b["kid"]) < 1e-11 for a, b in zip(kept, rows(), strict=True))
    print(f"kid.json: {'agrees' if same and close else 'DIFFERS'}")
    sys.exit(not (same and close))


if __name__ == "__main__":
    main()
