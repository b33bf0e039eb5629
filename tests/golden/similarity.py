#!/usr/bin/env python3
"""Makes similarity.json: path similarity of natural pictures by PyTorch and scipy, for one class of Imagenette.

    python tests/golden/similarity.py               compare what is there with a fresh computation
    python tests/golden/similarity.py --replace     write it

Needs scipy 1.17.1 beside requirements.txt, and the ImageNet weights and pictures in the folder that PROTOGPU_SHARED names. README.md
here says what is in it.
"""

import argparse
import hashlib
import json
import os
import platform
import sys
from pathlib import Path

import numpy as np
import PIL.Image
import safetensors.torch
import scipy
import torch
import torchvision
from scipy.stats import rankdata
from torchvision.transforms import CenterCrop, Compose, Normalize, Resize, ToTensor

from method import MEAN, STD

CLASS, FOLDER, SEED = 574, "574_golf_ball", 0
PATH = Path(__file__).resolve().parent / "similarity.json"
CROP, LOAD = Compose([Resize(256), CenterCrop(224)]), Compose([ToTensor(), Normalize(MEAN, STD)])


def hooked(net: torch.nn.Module, path: Path) -> dict[str, np.ndarray]:
    """Every module's output, copied in the hook; the last call of a module counts."""
    kept, hooks = {}, []
    for name, module in net.named_modules():
        def keep(_module, _input, output, name=name or "root"):
            kept[name] = output.flatten().clone().numpy()

        hooks.append(module.register_forward_hook(keep))
    with torch.no_grad():
        picture = PIL.Image.open(path).convert("RGB")
        net(LOAD(picture if picture.size == (224, 224) else CROP(picture))[None])  # as protogpu: what has the size is taken as it is
    for hook in hooks:
        hook.remove()
    return kept


def others(images: Path, count: int) -> list[Path]:
    """The pictures of other classes with the smallest digests of seed, class and name, as protogpu chooses them."""
    all_of = [p for p in images.glob("*/*") if p.parent.name != FOLDER]
    key = lambda p: hashlib.sha256(f"{SEED} {CLASS} {p.relative_to(images).as_posix()}".encode()).hexdigest()
    return sorted(sorted(all_of, key=key)[:count])


def measure(shared: Path) -> dict:
    net = torchvision.models.resnet18()
    net.load_state_dict(safetensors.torch.load_file(shared / "weights/resnet18_imagenet.safetensors"))
    net.eval()
    images = shared / "images/imagenette_val"
    same = sorted((images / FOLDER).iterdir())
    different = others(images, len(same))
    sums: dict[str, np.ndarray] = {}
    for path in same:
        for name, y in hooked(net, path).items():
            sums[name] = sums.get(name, 0.0) + y.astype(np.float64)
    targets = {name: rankdata((y / len(same)).astype(np.float32)) for name, y in sums.items()}
    rows = {name: {"same": [], "different": []} for name in targets}
    for side, paths in (("same", same), ("different", different)):
        for path in paths:
            for name, y in hooked(net, path).items():
                rows[name][side].append(np.corrcoef(targets[name], rankdata(y))[0, 1])
    return {name: {side: float(np.mean(v)) for side, v in row.items()} for name, row in rows.items()}


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--replace", action="store_true")
    shared = Path(os.environ.get("PROTOGPU_SHARED", Path(__file__).resolve().parents[3] / "shared"))
    layers = measure(shared)
    if parser.parse_args().replace:
        versions = {"python": platform.python_version(), "torch": torch.__version__, "torchvision": torchvision.__version__,
                    "scipy": scipy.__version__, "pillow": PIL.__version__}
        about = {"script": "similarity.py", "versions": versions, "class": CLASS, "seed": SEED}
        PATH.write_text(json.dumps({"about": about, "layers": layers}, indent=1) + "\n")
        return 0
    kept = json.loads(PATH.read_text())["layers"]
    worst = max(abs(kept[name][side] - row[side]) for name, row in layers.items() for side in row)
    print(f"worst difference {worst:.2e}")
    return int(worst > 1e-5)


if __name__ == "__main__":
    sys.exit(main())
