#!/usr/bin/env python3
"""Writes imagenette_top1_efficientnet_lite0.json: what ONNX Runtime sees in each picture.

    python tests/golden/onnx_top1.py --shared DIR

`DIR` as in make.py, with `weights/efficientnet_lite0.onnx`. It needs the packages of tests/zoo/requirements.txt.
"""

import argparse
import hashlib
import json
from pathlib import Path

import numpy as np
import onnxruntime
import PIL.Image

MODEL = "efficientnet_lite0.onnx"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shared", type=Path, required=True)
    shared = parser.parse_args().shared
    model, root = shared / "weights" / MODEL, shared / "images/imagenette_val"
    session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
    rows, right = [], 0
    for path in sorted(root.glob("*/*")):
        rgb = np.asarray(PIL.Image.open(path).convert("RGB"), dtype=np.float32)
        assert rgb.shape == (224, 224, 3), path
        x = ((rgb - 127) / 128).transpose(2, 0, 1)[None]
        z = session.run(None, {session.get_inputs()[0].name: x})[0].ravel()
        second, best = np.argsort(z)[-2:]
        right += int(best) == int(path.parent.name.split("_")[0])
        rows.append([str(path.relative_to(root)), int(best), round(float(z[best] - z[second]), 4)])
    about = {
        "script": "tests/golden/onnx_top1.py",
        "versions": json.dumps({m.__name__: m.__version__ for m in (onnxruntime, np, PIL)}),
        "weights": MODEL,
        "weights_sha256": hashlib.sha256(model.read_bytes()).hexdigest(),
        "correct": right,
        "pictures": len(rows),
    }
    lines = ",\n".join(json.dumps(row) for row in rows)
    text = f'{{"about": {json.dumps(about)},\n"columns": ["file", "top1", "margin"],\n"rows": [\n{lines}\n]}}\n'
    (Path(__file__).resolve().parent / "imagenette_top1_efficientnet_lite0.json").write_text(text)
    print(f"{right} of {len(rows)} right")


if __name__ == "__main__":
    main()
