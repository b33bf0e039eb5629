#!/usr/bin/env python3
"""Makes the files next to it with PyTorch: what torch.save writes, and what is to be read from it.

    python tests/corpus/make.py

For each NAME.pth that is to be read there is a NAME.safetensors with what torch.load makes of it, written by the
safetensors package, its header saying which versions made both. Those of `REFUSED` have none. Nothing here imports from the
project. Running it again gives other bytes (the older format names storages by their addresses), and the same tensors.
"""

import argparse
import collections
import datetime
import json
import os
import pathlib
import platform
import zipfile
from pathlib import Path

import numpy
import safetensors
import safetensors.torch
import torch
from torch import nn

HERE = Path(__file__).resolve().parent
SEED = 4


class Small(nn.Module):
    """Everything that a network's state dict has: weights, biases, statistics and a counter."""

    def __init__(self):
        super().__init__()
        self.conv1 = nn.Conv2d(1, 2, (2, 3))
        self.bn1 = nn.BatchNorm2d(2)
        self.fc = nn.Linear(2, 3)

    def forward(self, x):
        return self.fc(self.bn1(self.conv1(x)).mean((2, 3)))


class Shell:
    """Pickles as a call of os.system, which is how a hostile checkpoint takes a machine over."""

    def __reduce__(self):
        return os.system, ("echo taken over",)


class Options(dict):
    """A dictionary of its own class, as libraries for configurations have."""


def bystanders() -> dict:
    """A checkpoint with objects that Python would make by running code, and that no tensor depends on."""
    return {
        "state_dict": trained().state_dict(),
        "best_acc": numpy.float64(91.2),
        "history": numpy.arange(4.0),
        "out": pathlib.PurePosixPath("runs/a"),
        "when": datetime.datetime(2024, 1, 1),
        "losses": collections.defaultdict(list, {"train": [1.0]}),
        "options": Options(lr=0.1, gate=torch.nn.ReLU()),
        "spectrum": torch.tensor([1 + 2j]),
    }


def trained(dtype: torch.dtype = torch.float32) -> nn.Module:
    """A network whose statistics are not those of the beginning."""
    torch.manual_seed(SEED)
    model = Small()
    for _ in range(3):
        model(torch.randn(2, 1, 4, 5))
    return model.to(dtype)


def whole_checkpoint() -> dict:
    """What training scripts save: the network in DataParallel, its optimizer, and how it was called."""
    model = nn.DataParallel(trained())
    optimizer = torch.optim.SGD(model.parameters(), lr=0.1, momentum=0.9)
    model.module(torch.randn(2, 1, 4, 5)).sum().backward()
    optimizer.step()
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [3, 6])
    return {
        "epoch": 3,
        "arch": "small",
        "best_acc1": torch.tensor(67.5),
        "state_dict": model.state_dict(),
        "optimizer": optimizer.state_dict(),
        "scheduler": scheduler.state_dict(),
        "rng": torch.get_rng_state()[:16].clone(),
        "losses": [0.5**i for i in range(40)],
        "args": argparse.Namespace(lr=0.1, device=torch.device("cpu"), dtype=torch.float32, data=b"\x00\xff", tags={"a"}),
    }


def averaged() -> dict:
    """As torchvision's reference script saves: the network, and its moving average in a wrapper with a counter."""
    model = trained()
    average = torch.optim.swa_utils.AveragedModel(model)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter += 1
    return {"model": model.state_dict(), "model_ema": average.state_dict(), "epoch": 7}


def strided() -> dict:
    base = torch.arange(2 * 3 * 4 * 5, dtype=torch.float32).reshape(2, 3, 4, 5)
    return {
        "channels_last": base.clone().to(memory_format=torch.channels_last),
        "transposed": base.clone().permute(3, 1, 0, 2),
        "sliced": base.clone()[:, 1:, ::2, 1:4:2],
        "offset": base.clone().flatten()[17:29],
        "expanded": torch.tensor([1.5, -2.5]).reshape(2, 1).expand(2, 3),
        "scalar": base.clone()[1, 2, 3, 4],
        "empty": base.clone()[:, :0],
        "ones": base.clone()[:1, :, :1, :1],
    }


def shared() -> dict:
    base = torch.randn(4, 6, generator=torch.Generator().manual_seed(SEED))
    return {"all": base, "again": base, "row": base[1], "column": base[:, 2], "block": base[1:3, 2:5], "t": base.t()}


def integers() -> dict:
    kinds = {"i64": torch.int64, "i32": torch.int32, "i16": torch.int16, "i8": torch.int8, "u8": torch.uint8, "bool": torch.bool}
    values = torch.tensor([[0, 1, 2], [3, -4, 5]])
    return {name: values.to(dtype) for name, dtype in kinds.items()} | {"weight": torch.tensor([1.25])}


def entries() -> dict:
    """A state dict with more than tensors in it, and with parameters that still are such."""
    state = collections.OrderedDict(trained().named_parameters())
    return state | {"version": 3, "extra": None, "history": [1, 2, 3]}


READ = {  # name: (object, options of torch.save)
    "zip_f32": (lambda: trained().state_dict(), {}),
    "zip_f16": (lambda: trained(torch.float16).state_dict(), {}),
    "zip_bf16": (lambda: trained(torch.bfloat16).state_dict(), {}),
    "zip_f64": (lambda: trained(torch.float64).state_dict(), {}),
    "zip_protocol5": (lambda: trained().state_dict(), {"pickle_protocol": 5}),
    "zip_strided": (strided, {}),
    "zip_shared": (shared, {}),
    "zip_integers": (integers, {}),
    "zip_checkpoint": (whole_checkpoint, {}),
    "zip_averaged": (averaged, {}),
    "zip_entries": (entries, {}),
    "zip_bystanders": (bystanders, {}),
    "zip_whole_module": (trained, {}),
    "zip_whole_wrapped": (lambda: {"net": nn.DataParallel(trained()), "epoch": 3}, {}),
    "zip_whole_tanh": (lambda: nn.Sequential(nn.Linear(2, 3), nn.Tanh(), nn.Dropout(), nn.Linear(3, 1)), {}),
    "zip_list": (lambda: [trained().state_dict(), {"epoch": 1}], {}),
    "zip_tuple": (lambda: (3, trained().state_dict()), {}),
    "zip_compiled": (
        lambda: {f"_orig_mod.module.{k}": v for k, v in trained().state_dict().items()},
        {},
    ),
    "legacy_whole_module": (trained, {"_use_new_zipfile_serialization": False}),
    "legacy_f32": (lambda: trained().state_dict(), {"_use_new_zipfile_serialization": False}),
    "legacy_bf16": (lambda: trained(torch.bfloat16).state_dict(), {"_use_new_zipfile_serialization": False}),
    "legacy_protocol4": (
        lambda: trained().state_dict(),
        {"_use_new_zipfile_serialization": False, "pickle_protocol": 4},
    ),
    "legacy_strided": (strided, {"_use_new_zipfile_serialization": False}),
    "legacy_shared": (shared, {"_use_new_zipfile_serialization": False}),
    "legacy_checkpoint": (whole_checkpoint, {"_use_new_zipfile_serialization": False}),
}


def bare(state: dict) -> dict:
    """The tensors of what was loaded, under the names that they have without wrappers."""
    if isinstance(state, (list, tuple)):
        state = next(item for item in state if isinstance(item, dict))
    if isinstance(state, dict):
        for key in ("state_dict", "model", "net"):
            state = state.get(key, state)
    state = state.state_dict() if isinstance(state, nn.Module) else state
    tensors = {name.removeprefix("_orig_mod.").removeprefix("module."): value for name, value in state.items() if isinstance(value, torch.Tensor)}
    single = {name: value.float() if value.dtype == torch.float64 else value for name, value in tensors.items()}
    return {name: value.detach().clone(memory_format=torch.contiguous_format) for name, value in single.items()}


def hostile(about: dict):
    """Files that would run a command if Python loaded them. protogpu reads their tensors and never runs it."""
    state = trained().state_dict()
    taken_over = collections.OrderedDict(state, zzz=Shell())
    torch.save(taken_over, HERE / "zip_os_system.pth")
    torch.save(taken_over, HERE / "legacy_os_system.pth", _use_new_zipfile_serialization=False)
    torch.save(taken_over, HERE / "zip_os_system_protocol4.pth", pickle_protocol=4)
    for name in ("zip_os_system", "legacy_os_system", "zip_os_system_protocol4"):
        safetensors.torch.save_file(bare(state), HERE / f"{name}.safetensors", about)


def refused():
    """Files that must not be read."""
    state = trained().state_dict()
    torch.save({"weight": torch.tensor([1 + 2j])}, HERE / "zip_complex.pth")
    torch.save([torch.ones(2)], HERE / "zip_tensors.pth")
    torch.save(Shell(), HERE / "zip_only_os_system.pth")
    torch.save({"generator": state, "discriminator": state}, HERE / "zip_two_networks.pth")
    with zipfile.ZipFile(HERE / "zip_f32.pth") as source, zipfile.ZipFile(
        HERE / "zip_deflated.pth", "w", zipfile.ZIP_DEFLATED
    ) as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), source.read(name), zipfile.ZIP_DEFLATED)
    with zipfile.ZipFile(HERE / "zip_f32.pth") as source, zipfile.ZipFile(HERE / "zip_big_endian.pth", "w") as target:
        for name in source.namelist():
            target.writestr(zipfile.ZipInfo(name), b"big" if name.endswith("/byteorder") else source.read(name))


def main():
    versions = {m.__name__: m.__version__ for m in (torch, safetensors)} | {"python": platform.python_version()}
    about = {"script": "tests/corpus/make.py", "seed": str(SEED), "versions": json.dumps(versions)}
    for name, (make, options) in READ.items():
        path = HERE / f"{name}.pth"
        torch.save(make(), path, **options)
        loaded = torch.load(path, weights_only=False)
        safetensors.torch.save_file(bare(loaded), HERE / f"{name}.safetensors", about)
    hostile(about)
    refused()


if __name__ == "__main__":
    main()
