#!/usr/bin/env python3
"""Makes the golden files next to it with PyTorch, for the Rust tests to compare with.

Only developers run it, and rarely; tests need the files alone. See README.md here for what each key means.

    python tests/golden/make.py                               compare what is there with a fresh computation
    python tests/golden/make.py --replace                     write what needs no weights from elsewhere
    python tests/golden/make.py --replace --shared DIR        and those that need weights and pictures

All truth is computed in float64. Nothing here imports from the project: the two sides agree on formulas, not on code.
"""

import argparse
import json
import platform
import sys
from pathlib import Path

import numpy as np
import PIL
import safetensors
import safetensors.numpy
import torch
import torchvision

from lucent import make_lucent
from method import SEED
from natural_statistics import make_natural_statistics
from networks import (make_googlenet, make_imagenette_top1, make_imagenette_top1_inception_v1, make_inception_v1, make_inception_v1_bvlc,
                      make_resnet18, make_resnet18_imagenet, make_resnet34, make_resnet50)  # fmt: skip
from objectives import make_objectives
from ops import make_ops

HERE = Path(__file__).resolve().parent
GOLDENS = {  # file: (function, whether it needs --shared)
    "ops.safetensors": (make_ops, False),
    "lucent.safetensors": (make_lucent, False),
    "natural_statistics.safetensors": (make_natural_statistics, False),
    "objectives.safetensors": (make_objectives, False),
    "resnet18.safetensors": (make_resnet18, False),
    "resnet18_imagenet.safetensors": (make_resnet18_imagenet, True),
    "resnet34.safetensors": (make_resnet34, False),
    "resnet50.safetensors": (make_resnet50, False),
    "googlenet.safetensors": (make_googlenet, False),
    "inception_v1.safetensors": (make_inception_v1, False),
    "inception_v1_bvlc.safetensors": (make_inception_v1_bvlc, True),
    "imagenette_top1.json": (make_imagenette_top1, True),
    "imagenette_top1_inception_v1.json": (make_imagenette_top1_inception_v1, True),
}


def header(needs_shared: bool) -> dict[str, str]:
    """Where a golden comes from."""
    modules = (torch, torchvision, np, safetensors, PIL)
    versions = {m.__name__: m.__version__ for m in modules} | {"python": platform.python_version()}
    command = "python tests/golden/make.py --replace" + (" --shared DIR" if needs_shared else "")
    return {"script": "tests/golden/make.py", "command": command, "seed": str(SEED), "versions": json.dumps(versions)}


def write(path: Path, content, about: dict):
    if path.suffix == ".json":
        rows = ",\n".join(json.dumps(row) for row in content)
        path.write_text(f'{{"about": {json.dumps(about)},\n"columns": ["file", "top1", "margin"],\n"rows": [\n{rows}\n]}}\n')
    else:
        safetensors.numpy.save_file({name: np.ascontiguousarray(value) for name, value in content.items()}, path, about)
    print(f"{path.name}: {path.stat().st_size} bytes written")


def compare(path: Path, content) -> bool:
    """Whether the file says the same as a fresh computation, up to another machine's rounding."""
    if path.suffix == ".json":
        same = [row[:2] for row in json.loads(path.read_text())["rows"]] == [row[:2] for row in content]
        print(f"{path.name}: top-1 {'agrees' if same else 'DIFFERS'}")
        return same
    kept = safetensors.numpy.load_file(path)
    wrong = sorted(kept.keys() ^ content.keys())
    for name in kept.keys() & content.keys():
        # The float32 runs depend on the order of sums, and so on the machine.
        if "float32_" not in name and not np.allclose(kept[name], content[name], rtol=1e-5, atol=1e-6 * np.abs(kept[name]).max()):
            wrong.append(name)
    print(f"{path.name}: {len(kept)} tensors, {len(wrong)} differ {wrong}")
    return not wrong


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--replace", action="store_true", help="write the files instead of comparing with them")
    parser.add_argument("--shared", type=Path, metavar="DIR", help="folder with weights/ and images/, which are not in the repository")
    parser.add_argument("--only", nargs="*", default=GOLDENS, choices=GOLDENS, metavar="FILE", help=f"some of: {' '.join(GOLDENS)}")
    options = parser.parse_args()
    agree = True
    for name in options.only:
        make, needs_shared = GOLDENS[name]
        if needs_shared and options.shared is None:
            print(f"{name}: skipped, needs --shared")
            continue
        content, about = make(options.shared)
        about = header(needs_shared) | about
        if options.replace:
            write(HERE / name, content, about)
        else:
            agree &= compare(HERE / name, content)
    sys.exit(not agree)


if __name__ == "__main__":
    main()
