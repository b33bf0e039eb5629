#!/usr/bin/env python3
"""Writes families.json: for each ResNet of torchvision, the SHA-256 of the names and shapes of its tensors, one `name [extents]` a line, sorted.

    python tests/golden/families.py
"""

import hashlib
import json
from pathlib import Path

import torch
import torchvision

NAMES = ["resnet18", "resnet34", "resnet50", "resnet101", "resnet152", "wide_resnet50_2", "wide_resnet101_2"]
NAMES += ["resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d", "googlenet"]


def main():
    digests = {}
    for name in NAMES:
        options = {"init_weights": False, "aux_logits": False} if name == "googlenet" else {}
        with torch.device("meta"):
            state = torchvision.models.get_model(name, weights=None, **options).state_dict()
        tensors = [f"{key} {list(value.shape)}\n" for key, value in state.items() if not key.endswith("num_batches_tracked")]
        digests[name] = hashlib.sha256("".join(sorted(tensors)).encode()).hexdigest()
    path = Path(__file__).resolve().parent / "families.json"
    path.write_text(json.dumps({"torchvision": torchvision.__version__, "sha256": digests}, indent=1) + "\n")


if __name__ == "__main__":
    main()
