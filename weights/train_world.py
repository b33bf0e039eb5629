#!/usr/bin/env python3
"""Trains a narrow network on the drawn world and writes it as safetensors, with torchvision's names.

The pictures come from `protogpu world`; this script draws nothing itself. weights/README.md has the command lines.

    python weights/train_world.py --pictures world/train --out weights/world_resnet18_w16.safetensors
    python weights/train_world.py --evaluate weights/world_resnet18_w16.safetensors --pictures world/held_out

Runs on the CPU. The seed fixes every draw of the script; a further run on another machine differs by rounding.
"""

import argparse
import hashlib
import json
import math
import os
import sys
import time
from concurrent.futures import ThreadPoolExecutor

import numpy
import PIL.Image
import torch
import torchvision
from safetensors import safe_open
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional
from torchvision.models.googlenet import BasicConv2d, Inception
from torchvision.models.resnet import BasicBlock

MEAN = (0.485, 0.456, 0.406)
STD = (0.229, 0.224, 0.225)


def resnet18(width, classes):
    """torchvision's ResNet-18 with `width` planes in the first stage instead of 64."""
    model = torchvision.models.ResNet(BasicBlock, [2, 2, 2, 2], num_classes=classes)
    model.inplanes = width
    model.conv1 = nn.Conv2d(3, width, kernel_size=7, stride=2, padding=3, bias=False)
    model.bn1 = nn.BatchNorm2d(width)
    model.layer1 = model._make_layer(BasicBlock, width, 2)
    model.layer2 = model._make_layer(BasicBlock, 2 * width, 2, stride=2)
    model.layer3 = model._make_layer(BasicBlock, 4 * width, 2, stride=2)
    model.layer4 = model._make_layer(BasicBlock, 8 * width, 2, stride=2)
    model.fc = nn.Linear(8 * width, classes)
    return model


def googlenet(width, classes):
    """torchvision's GoogLeNet with `width` channels after the first convolution instead of 64, without the side heads."""
    model = torchvision.models.GoogLeNet(num_classes=classes, aux_logits=False, transform_input=False, init_weights=False)

    def scaled(channels):
        return max(1, round(channels * width / 64))

    model.conv1 = BasicConv2d(3, scaled(64), kernel_size=7, stride=2, padding=3)
    model.conv2 = BasicConv2d(scaled(64), scaled(64), kernel_size=1)
    model.conv3 = BasicConv2d(scaled(64), scaled(192), kernel_size=3, padding=1)
    # 1x1; 3x3 reduced, 3x3; 5x5 reduced, 5x5; projection of the pooled input.
    blocks = {
        "inception3a": (64, 96, 128, 16, 32, 32),
        "inception3b": (128, 128, 192, 32, 96, 64),
        "inception4a": (192, 96, 208, 16, 48, 64),
        "inception4b": (160, 112, 224, 24, 64, 64),
        "inception4c": (128, 128, 256, 24, 64, 64),
        "inception4d": (112, 144, 288, 32, 64, 64),
        "inception4e": (256, 160, 320, 32, 128, 128),
        "inception5a": (256, 160, 320, 32, 128, 128),
        "inception5b": (384, 192, 384, 48, 128, 128),
    }
    channels = scaled(192)
    for name, block in blocks.items():
        block = [scaled(count) for count in block]
        setattr(model, name, Inception(channels, *block))
        channels = block[0] + block[2] + block[4] + block[5]
    model.fc = nn.Linear(channels, classes)
    return model


ARCHITECTURES = {"resnet18": resnet18, "googlenet": googlenet}


def initialise(model):
    """He's initialisation for convolutions; the last batch norm of each residual block starts at zero."""
    for module in model.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
        elif isinstance(module, BasicBlock):
            nn.init.zeros_(module.bn2.weight)


def read_pictures(folder, labels=None):
    """All pictures of `<index>_<name>/` folders as one uint8 tensor [N,3,224,224], their classes, and the labels."""
    found = sorted(name for name in os.listdir(folder) if os.path.isdir(os.path.join(folder, name)))
    names = {int(name.split("_", 1)[0]): name.split("_", 1)[1] for name in found}
    if labels is None:
        labels = [names[index] for index in range(len(names))]
    pictures, classes = [], []
    for name in found:
        index, label = name.split("_", 1)
        if labels[int(index)] != label:
            raise SystemExit(f"{folder}/{name}: class {int(index)} is called {labels[int(index)]} in the network")
        for file in sorted(os.listdir(os.path.join(folder, name))):
            with PIL.Image.open(os.path.join(folder, name, file)) as picture:
                pictures.append(torch.from_numpy(numpy.array(picture.convert("RGB"))))
            classes.append(int(index))
    return torch.stack(pictures).permute(0, 3, 1, 2), torch.tensor(classes), labels


def normalised(pictures):
    """Pixels to [0, 1], then the ImageNet mean and standard deviation of each channel."""
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    return (pictures.float() / 255 - mean) / std


def shrunk(pictures, side):
    """The same uint8 pictures at another size, averaged over areas."""
    if side == pictures.shape[-1]:
        return pictures
    return torch.cat([functional.interpolate(x.float(), side, mode="area").round().byte() for x in pictures.split(100)])


def augmented(pictures, noise, random):
    """Normalised pictures, warped, lit and roughened at random. What a warp leaves empty has the mean colour.

    `noise` is a long row of normal draws of which each batch takes another stretch: fresh ones would cost more than the network.
    """
    count, pictures = len(pictures), pictures.contiguous()

    def between(low, high, *shape):
        return low + (high - low) * torch.rand((count, *shape), generator=random)

    angle, scale = between(-math.pi, math.pi), between(0.7, 1.3)
    theta = torch.zeros(count, 2, 3)
    theta[:, 0, 0] = theta[:, 1, 1] = torch.cos(angle) / scale
    theta[:, 0, 1] = -torch.sin(angle) / scale
    theta[:, 1, 0] = torch.sin(angle) / scale
    theta[:, :, 2] = between(-0.2, 0.2, 2)

    x = pictures.float() / 255
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * between(0.5, 1.3, 1, 1, 1)
    x = (x - 0.5) * between(0.7, 1.3, 1, 1, 1) + 0.5 + between(-0.15, 0.15, 1, 1, 1)
    mean, std = (torch.tensor(values).view(1, 3, 1, 1) for values in (MEAN, STD))
    x = (x.clamp(0, 1) - mean) / std
    grid = functional.affine_grid(theta, list(x.shape), align_corners=False)
    x = functional.grid_sample(x, grid, mode="bilinear", padding_mode="zeros", align_corners=False)
    first = torch.randint(len(noise) - x.numel(), (), generator=random).item()
    return x + between(0, 0.2, 1, 1, 1) * noise[first : first + x.numel()].view(x.shape)


def train(model, labels, pictures, classes, arguments):
    """AdamW, one cosine of the learning rate after a short rise, decay on weights but not on biases and batch norms.

    Writes the network after every epoch, so that an interrupted run leaves one.
    """
    random = torch.Generator().manual_seed(arguments.seed)
    noise = torch.randn(2 * arguments.batch * pictures[0].numel(), generator=random)
    decayed = [p for p in model.parameters() if p.ndim > 1]
    spared = [p for p in model.parameters() if p.ndim <= 1]
    groups = [{"params": decayed, "weight_decay": arguments.weight_decay}, {"params": spared, "weight_decay": 0.0}]
    optimiser = torch.optim.AdamW(groups, lr=arguments.lr)
    per_epoch = len(pictures) // arguments.batch
    sides = [side for side, epochs in arguments.phases for _ in range(epochs)]
    steps, rise = per_epoch * len(sides), int(arguments.rise * per_epoch)
    model.to(memory_format=torch.channels_last).train()
    step, begin, small = 0, time.time(), None
    # One thread prepares the next batch while another one learns from this one: the draws stay in order.
    worker = ThreadPoolExecutor(max_workers=1)
    for epoch, side in enumerate(sides):
        if small is None or small.shape[-1] != side:
            small = shrunk(pictures, side)
        order = torch.randperm(len(pictures), generator=random).split(arguments.batch)[:per_epoch]
        total = right = 0.0
        prepared = worker.submit(augmented, small[order[0]], noise, random)
        for index, chosen in enumerate(order):
            x, y = prepared.result().contiguous(memory_format=torch.channels_last), classes[chosen]
            if index + 1 < per_epoch:
                prepared = worker.submit(augmented, small[order[index + 1]], noise, random)
            rate = min((step + 1) / rise, 0.5 + 0.5 * math.cos(math.pi * max(step - rise, 0) / max(steps - rise, 1)))
            for group in optimiser.param_groups:
                group["lr"] = arguments.lr * rate
            with torch.autocast("cpu", torch.bfloat16, enabled=arguments.bfloat16):
                logits = model(x).float()
            loss = functional.cross_entropy(logits, y, label_smoothing=arguments.label_smoothing)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total, right, step = total + loss.item(), right + (logits.argmax(1) == y).float().mean().item(), step + 1
        done = f"epoch {epoch + 1}/{len(sides)} at {side}"
        print(f"{done}: loss {total / per_epoch:.4f}, accuracy {right / per_epoch:.4f}, {time.time() - begin:.0f} s", flush=True)
        save(model, labels, arguments)
    save(model, labels, arguments)


@torch.no_grad()
def predict(model, pictures):
    """The class the network gives each picture, in f32."""
    model.eval()
    batches = [model(normalised(batch).contiguous(memory_format=torch.channels_last)) for batch in pictures.split(100)]
    return torch.cat(batches).argmax(1)


def report(model, labels, folder):
    """Prints accuracy and, for each class, recall and what it is most often mistaken for."""
    pictures, classes, _ = read_pictures(folder, labels)
    predicted = predict(model, pictures)
    print(f"\n{folder}: {len(classes)} pictures, accuracy {(predicted == classes).float().mean():.4f}")
    for index in classes.unique().tolist():
        given = predicted[classes == index]
        counts = torch.bincount(given, minlength=len(labels))
        recall = counts[index].item() / len(given)
        counts[index] = 0
        wrong = f"{labels[counts.argmax()]} {counts.max().item() / len(given):.3f}" if counts.sum() else "-"
        print(f"  {labels[index]:12} recall {recall:.3f}   mistaken for {wrong}", flush=True)


def save(model, labels, arguments):
    """Weights in f16, running statistics in f32, and in the header where they come from.

    The last layer is stored times `--logit-scale`. With few classes and smoothed labels, training ends with logits of a few units, where a
    network of 1,000 classes has tens. The scale changes no decision; it gives the logits, and so their gradients, the range for which
    the default weights of the losses are made.
    """
    tensors = {}
    for name, tensor in model.state_dict().items():
        if name.endswith("num_batches_tracked"):
            continue
        if name.startswith("fc."):
            tensor = tensor * arguments.logit_scale
        kept = torch.float32 if name.endswith(("running_mean", "running_var")) else torch.float16
        tensors[name] = tensor.to(kept).contiguous()
    metadata = {
        "architecture": arguments.architecture,
        "width": str(arguments.width),
        "labels": json.dumps(labels),
        "mean": json.dumps(MEAN),
        "std": json.dumps(STD),
        "transform_input": "false",
        "logit_scale": f"{arguments.logit_scale:g}",
        "trained_on": "pictures of the drawn world, written by `protogpu world`",
        "command": arguments.command,
        "seed": str(arguments.seed),
        "torch": torch.__version__,
        "torchvision": torchvision.__version__,
        "license": "MIT OR Apache-2.0",
    }
    save_file(tensors, arguments.out, metadata)


def load(path):
    """The network in a file written by `save`, in f32, its labels, and the header's notes."""
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
        tensors = {name: file.get_tensor(name).float() for name in file.keys()}
    labels = json.loads(metadata["labels"])
    model = ARCHITECTURES[metadata["architecture"]](int(metadata["width"]), len(labels))
    model.load_state_dict(tensors)
    return model.to(memory_format=torch.channels_last), labels, metadata


def phases(text):
    """`112:24,224:5` as [(112, 24), (224, 5)]."""
    return [tuple(int(number) for number in phase.split(":")) for phase in text.split(",")]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--pictures", action="append", required=True, metavar="DIR", help="written by `protogpu world`; several when evaluating")
    parser.add_argument("--out", metavar="FILE", help="train, and write the network here")
    parser.add_argument("--evaluate", metavar="FILE", help="evaluate this network instead")
    parser.add_argument("--resume", metavar="FILE", help="go on from this network, with a fresh optimiser")
    parser.add_argument("--architecture", choices=sorted(ARCHITECTURES), default="resnet18")
    parser.add_argument("--width", type=int, default=16, help="channels after the first convolution")
    parser.add_argument("--phases", type=phases, default="112:24,224:5", help="size:epochs, first small and then full pictures")
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--lr", type=float, default=3e-3)
    parser.add_argument("--rise", type=float, default=2.0, help="epochs over which the learning rate rises")
    parser.add_argument("--weight-decay", type=float, default=0.05)
    parser.add_argument("--label-smoothing", type=float, default=0.05)
    parser.add_argument("--logit-scale", type=float, default=8.0, help="the last layer is stored times this, see `save`")
    parser.add_argument("--bfloat16", action="store_true", help="multiply in bfloat16 while training")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--threads", type=int, default=1)
    arguments = parser.parse_args()
    if (arguments.out is None) == (arguments.evaluate is None):
        parser.error("give either --out or --evaluate")

    torch.set_num_threads(arguments.threads)
    if arguments.out:
        torch.manual_seed(arguments.seed)
        pictures, classes, labels = read_pictures(arguments.pictures[0])
        arguments.command = "python weights/train_world.py " + " ".join(sys.argv[1:])
        if arguments.resume:
            model, _, metadata = load(arguments.resume)
            arguments.architecture, arguments.width = metadata["architecture"], int(metadata["width"])
            arguments.command = metadata["command"] + " && " + arguments.command
            with torch.no_grad():
                for parameter in model.fc.parameters():
                    parameter /= float(metadata.get("logit_scale", "1"))
        else:
            model = ARCHITECTURES[arguments.architecture](arguments.width, len(labels))
            initialise(model)
        print(f"{len(pictures)} pictures, {len(labels)} classes, {sum(p.numel() for p in model.parameters())} parameters", flush=True)
        train(model, labels, pictures, classes, arguments)
        with open(arguments.out, "rb") as file:
            print(f"{arguments.out}: {os.path.getsize(arguments.out)} bytes, sha256 {hashlib.sha256(file.read()).hexdigest()}")
    else:
        model, labels, _ = load(arguments.evaluate)
        for folder in arguments.pictures:
            report(model, labels, folder)


if __name__ == "__main__":
    main()
