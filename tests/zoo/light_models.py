"""Compares protogpu with ONNX Runtime on the networks of ONNX's own tests, whose weights are made by ConstantOfShape.

    pip install -r requirements.txt
    cargo build --release
    python light_models.py FOLDER/light_*.onnx

The files are in onnx/backend/test/data/light of ONNX's sources. As they are, all of their outputs are nearly equal, so random numbers replace the
constants. The logits, the input of the softmax at the end, may differ by 1e-4 of the largest. It ends with 1 if a network fails.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
from onnx import helper, numpy_helper
from PIL import Image

from torchvision_models import PROGRAM, classified

onnxruntime.set_default_logger_severity(3)
RNG = np.random.default_rng(0)


def weights(shape, reader, place):
    """Random numbers for a constant, which this node reads at this place."""
    if len(shape) in (2, 4):
        return RNG.standard_normal(shape) * np.sqrt(2 / np.prod(shape[1:]))
    if reader.op_type == "BatchNormalization" and place in (1, 4) or reader.op_type == "Unsqueeze":
        return RNG.uniform(0.5, 1.5, shape)
    return RNG.standard_normal(shape) * 0.1


def randomised(model):
    """The model with random weights."""
    graph = model.graph
    shapes = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    for node in [node for node in graph.node if node.op_type == "ConstantOfShape" and node.input[0] in shapes]:
        readers = [other for other in graph.node if node.output[0] in other.input]
        if readers:
            place = list(readers[0].input).index(node.output[0])
            values = weights(tuple(int(v) for v in shapes[node.input[0]]), readers[0], place)
            graph.node.remove(node)
            graph.initializer.append(numpy_helper.from_array(values.astype(np.float32), node.output[0]))
    return model


def compare(path, program, folder):
    model = randomised(onnx.load(path))
    graph = model.graph
    file = folder / path.name
    onnx.save(model, file)
    last = next(node for node in graph.node if graph.output[0].name in node.output)
    logits = last.input[0] if last.op_type == "Softmax" else graph.output[0].name
    if logits != graph.output[0].name:
        graph.output.append(helper.make_tensor_value_info(logits, onnx.TensorProto.FLOAT, None))
    pixels = RNG.integers(0, 256, (224, 224, 3), dtype=np.uint8)
    picture = folder / "image.png"
    Image.fromarray(pixels).save(picture)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    stored = {tensor.name for tensor in graph.initializer}
    image = next(port.name for port in graph.input if port.name not in stored)
    wanted = session.run([logits], {image: (pixels.astype(np.float32) / 255).transpose(2, 0, 1)[None]})[0].ravel()
    raw = ["--input-range", "1", "--input-mean", "0,0,0", "--input-std", "1,1,1"]
    found = classified(program, file, picture, len(wanted), *raw)
    file.unlink()
    return float(abs(found - wanted).max() / abs(wanted).max())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path)
    parser.add_argument("--protogpu", default=PROGRAM, help="the program")
    arguments = parser.parse_args()
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for path in arguments.models:
            try:
                difference = compare(path, arguments.protogpu, Path(folder))
                passes, text = difference <= 1e-4, f"logits {difference:.1e}"
            except Exception as error:
                passes, text = False, str(error)
            failed += not passes
            print(f"{'passes' if passes else 'FAILS '}  {path.name:30}  {text}", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
