"""Compares protogpu with PyTorch on torchvision's classifiers, with random weights, each at its own size of images.

    pip install -r requirements.txt
    cargo build --release
    python torchvision_models.py resnet18 vit_b_32      # these
    python torchvision_models.py --part                 # the smallest of each family
    python torchvision_models.py --all                  # all, which takes hours without a graphics card
    python torchvision_models.py --part --dynamo        # as torch.onnx writes them by default since PyTorch 2.9

For each network it prints
  logits    the largest difference of a logit, divided by the largest logit; at most 1e-4 passes
  gradient  the norm of the difference of the gradient of a logit with respect to the pixels, divided by the norm; at most 1e-3 passes
  own       the same for PyTorch's gradient in f32 against its gradient in f64, with --double
  torch_s   with --time, seconds of a forward and a backward pass in PyTorch with one thread
  step_s    with --time, seconds of one of protogpu's steps with one image, as `protogpu bench` measures it
It ends with 1 if a network fails.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from PIL import Image
from safetensors.numpy import load_file

PART = [
    "alexnet", "convnext_tiny", "densenet121", "efficientnet_b0", "efficientnet_v2_s", "googlenet", "inception_v3", "maxvit_t", "mnasnet0_5",
    "mobilenet_v2", "mobilenet_v3_small", "regnet_x_400mf", "regnet_y_400mf", "resnet18", "resnext50_32x4d", "shufflenet_v2_x0_5",
    "squeezenet1_1", "swin_t", "swin_v2_t", "vgg11", "vit_b_32", "wide_resnet50_2",
]  # fmt: skip
PROGRAM = str(Path(__file__).parents[2] / "target/release/protogpu")
CLASS = 7
MEAN, STD = [0.485, 0.456, 0.406], [0.229, 0.224, 0.225]


def network(name):
    """The network with random weights and norms as after training, and the side of its images."""
    torch.manual_seed(0)
    options = {"init_weights": True, "aux_logits": False} if name in ("googlenet", "inception_v3") else {}
    net = torchvision.models.get_model(name, weights=None, **options).eval()
    for key, buffer in net.named_buffers():
        if key.endswith("running_mean"):
            buffer.uniform_(-0.2, 0.2)
        if key.endswith("running_var"):
            buffer.uniform_(0.6, 1.4)
    for head in [module for module in net.modules() if isinstance(module, torch.nn.Linear)][-1:]:
        # Some begin with a head of zeros.
        torch.nn.init.normal_(head.weight, std=0.02)
    return net, torchvision.models.get_model_weights(name).DEFAULT.transforms().crop_size[0]


def export(net, side, path, dynamo):
    x = (torch.rand(1, 3, side, side),)
    if dynamo:
        shapes = ({0: torch.export.Dim("N")},)
        torch.onnx.export(net, x, path, dynamo=True, external_data=False, dynamic_shapes=shapes, verbose=False)
    else:
        axes = {"x": {0: "N"}, "y": {0: "N"}}
        options = {"input_names": ["x"], "output_names": ["y"], "dynamic_axes": axes, "opset_version": 17}
        torch.onnx.export(net, x, path, dynamo=False, **options)


def expected(net, pixels):
    """PyTorch's logits, the gradient of one, and the seconds of both passes. pixels: [3,H,W] in 0..1."""
    kind = next(net.parameters()).dtype
    x = torch.tensor(pixels, dtype=kind)[None].requires_grad_(True)
    mean, std = (torch.tensor(values, dtype=kind)[None, :, None, None] for values in (MEAN, STD))
    begin = time.time()
    logits = net((x - mean) / std)
    logits[0, CLASS].backward()
    return logits[0].detach().double().numpy(), x.grad[0].double().numpy(), time.time() - begin


def called(program, *arguments):
    result = subprocess.run([program, *map(str, arguments)], capture_output=True, text=True)
    if result.returncode:
        raise RuntimeError(f"{arguments[0]} ends with {result.returncode}: {result.stderr.strip()[-300:]}")
    return result.stdout


def named(report, key):
    """The first part of a report, or list of parts, that has this key."""
    if isinstance(report, list) and report and isinstance(report[0], dict) and key in report[0]:
        return report
    if isinstance(report, dict) and key in report:
        return report
    parts = report.values() if isinstance(report, dict) else report if isinstance(report, list) else []
    return next((found for part in parts if (found := named(part, key))), None)


def classified(program, model, picture, classes, *options):
    """The logits of all classes."""
    report = json.loads(called(program, "classify", "--weights", model, picture, "--json", "--top", classes, *options))
    found = {row.get("index", row.get("class_index")): row["logit"] for row in named(report, "logit")}
    return np.array([found[i] for i in range(classes)])


def compare(name, arguments, folder):
    net, side = network(name)
    pixels = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    picture, model, gradient = folder / "image.png", folder / f"{name}.onnx", folder / "gradient.safetensors"
    Image.fromarray(pixels).save(picture)
    pixels = (pixels.astype(np.float32) / 255).transpose(2, 0, 1)
    export(net, side, str(model), arguments.dynamo)
    logits, dx, torch_seconds = expected(net, pixels)
    row = {"network": name, "side": side}

    found = classified(arguments.protogpu, model, picture, len(logits))
    row["logits"] = float(abs(found - logits).max() / abs(logits).max())

    gradient.unlink(missing_ok=True)
    called(arguments.protogpu, "gradient", "--weights", model, "--class", CLASS, "--out", gradient, picture)
    found = next(values for values in load_file(gradient).values() if values.size == dx.size).reshape(dx.shape)
    row["gradient"] = float(np.linalg.norm(found - dx) / np.linalg.norm(dx))
    if arguments.double:
        exact = expected(net.double(), pixels)[1]
        row["own"] = float(np.linalg.norm(exact - dx) / np.linalg.norm(exact))
    if arguments.time:
        row["torch_s"] = torch_seconds
        report = json.loads(called(arguments.protogpu, "bench", "--weights", model, "--batch", 1, "--json"))
        row["step_s"] = named(report, "median_ms")["median_ms"] / 1000
    model.unlink()
    return row


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", help="networks by torchvision's names")
    parser.add_argument("--all", action="store_true", help="all of torchvision's classifiers")
    parser.add_argument("--part", action="store_true", help="the smallest of each family")
    parser.add_argument("--dynamo", action="store_true", help="export with dynamo=True; else with dynamo=False")
    parser.add_argument("--double", action="store_true", help="compare PyTorch's gradient with its own in f64")
    parser.add_argument("--time", action="store_true", help="time a step")
    parser.add_argument("--protogpu", default=PROGRAM, help="the program")
    arguments = parser.parse_args()
    warnings.filterwarnings("ignore")
    torch.set_num_threads(1)
    all_names = torchvision.models.list_models(module=torchvision.models)
    names = all_names if arguments.all else PART if arguments.part else arguments.names
    failed = 0
    with tempfile.TemporaryDirectory() as folder:
        for name in names:
            begin = time.time()
            try:
                row = compare(name, arguments, Path(folder))
                passes = row["logits"] <= 1e-4 and row["gradient"] <= 1e-3
                text = "  ".join(f"{key} {value:.1e}" for key, value in row.items() if isinstance(value, float))
            except Exception as error:
                passes, text = False, str(error)
            failed += not passes
            print(f"{'passes' if passes else 'FAILS '}  {name:20}  {text}  ({time.time() - begin:.0f} s)", flush=True)
    return failed > 0


if __name__ == "__main__":
    sys.exit(main())
