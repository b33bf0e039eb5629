"""Whole networks: every module's output, the input's gradient, and the first steps of the method."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import PIL.Image
import safetensors.numpy
import torch
import torchvision
from torchvision.transforms import RandomAffine

from inception_v1 import SHIFT, InceptionV1, normalize_bvlc
from method import (MEAN, SEED, as_numpy, generated, norm, normalize, probability_variance, sample, theta_from,
                    total_variation, warp)  # fmt: skip

@dataclass
class Network:
    """A network with what it does to pixels first: called with pixels in 0..1, [N,3,H,W]."""

    net: torch.nn.Module
    modules: int  # named ones, with the root
    normalize: Callable[[torch.Tensor], torch.Tensor] = normalize
    mean: tuple[float, ...] = tuple(MEAN)  # the colour that `normalize` makes 0

    def __call__(self, pixels: torch.Tensor) -> torch.Tensor:
        return self.net(self.normalize(pixels))


# --- The first steps -------------------------------------------------------------------------------------

VARIANTS = {
    # name: form and weight of L_hf, interpolation, fill, Adam's rate and eps, steps of L_pv before the prototype's
    "main": ("l1-sum", 0.05, "bilinear", "mean", 0.05, 1e-8, 0),
    "no_hf": ("l1-sum", 0.0, "bilinear", "mean", 0.05, 1e-8, 0),
    "baseline": ("l1", 1.0, "nearest", "black", 0.05, 1e-8, 2),
    # Adam's first steps go by the gradient's sign, so that a pixel whose gradient is all but 0 moves by lr one way or the other; and where a
    # ReLU or a pool's maximum flips, the gradient jumps. float32 strays from float64 within a few steps. With an eps that damps small
    # gradients, and shorter steps, the curves can be held to a tight tolerance.
    "smooth": ("l2", 1000.0, "bilinear", "mean", 0.005, 0.1, 0),
}
STEPS = 10


def run(network: Network, start: torch.Tensor, thetas: np.ndarray, target: int, variant: str) -> dict[str, np.ndarray]:
    """Loss, logit and total variation before each update, the first gradient, and the last pixels."""
    form, weight, mode, fill, lr, eps, baseline_steps = VARIANTS[variant]
    colour = list(network.mean) if fill == "mean" else [0.0, 0.0, 0.0]
    x = start.clone().requires_grad_()
    series = {"loss": [], "logit": [], "tv": []}
    out = {}
    for step in range(baseline_steps + STEPS):
        if step in (0, baseline_steps):  # the prototype's stage begins with a fresh state
            adam = torch.optim.Adam([x], lr=lr, eps=eps)
        z = network(warp(x, [float(v) for v in thetas[step]], mode, colour))
        tv = total_variation(x, form)
        if step < baseline_steps:
            loss = probability_variance(z, "softmax")
        else:
            loss = -z[0, target] + weight * tv
        for name, value in (("loss", loss), ("logit", z[0, target]), ("tv", tv)):
            series[name].append(value.item())
        adam.zero_grad()
        loss.backward()
        if step == 0:
            out |= {"gradient": sample(x.grad), "gradient_norm": norm(x.grad)}
        adam.step()
    out |= {name: np.array(values) for name, values in series.items()}
    return out | {"pixels": sample(x), "pixels_norm": norm(x)}


def draw_thetas(count: int, size: int) -> tuple[np.ndarray, np.ndarray]:
    """torchvision's own draws (angle, tx, ty, scale), and the maps rounded to float32, so that both sides use the same numbers."""
    torch.manual_seed(SEED)
    draws, thetas = [], []
    for _ in range(count):
        angle, (tx, ty), scale, _ = RandomAffine.get_params([-180.0, 180.0], [0.5, 0.5], [0.7, 1.3], None, [size, size])
        draws.append([angle, tx, ty, scale])
        thetas.append(theta_from(angle, tx, ty, scale, size, size))
    return np.array(draws), np.array(thetas).astype(np.float32)


# --- Whole networks --------------------------------------------------------------------------------------

def activations(network: Network, pixels: torch.Tensor, copied: bool) -> dict[str, torch.Tensor]:
    """Every named module's output: copied in the hook, or kept by reference, so that in-place ReLUs write over it. The last call counts."""
    kept, hooks = {}, []
    for name, module in network.net.named_modules():
        def keep(_module, _input, output, name=name or "root"):
            kept[name] = output.clone() if copied else output

        hooks.append(module.register_forward_hook(keep))
    with torch.no_grad():
        network(pixels)
    for hook in hooks:
        hook.remove()
    return kept


def inference(network: Network, pixels: torch.Tensor, target: int, count: int, gradient_count: int) -> dict[str, np.ndarray]:
    """Logits, `count` elements of each activation under both hook semantics, and the gradient of one logit to the pixels."""
    out = {}
    snapshot = activations(network, pixels, copied=True)
    alias = activations(network, pixels, copied=False)
    assert len(snapshot) == network.modules, len(snapshot)
    for name, value in snapshot.items():
        out[f"snapshot/{name}"], out[f"snapshot_norm/{name}"] = sample(value, count), norm(value)
        if not torch.equal(value, alias[name]):
            out[f"alias/{name}"], out[f"alias_norm/{name}"] = sample(alias[name], count), norm(alias[name])
    x = pixels.clone().requires_grad_()
    logits = network(x)
    logits[0, target].backward()
    out |= {"logits": as_numpy(logits)[0].astype(np.float32), "pixels_norm": norm(pixels)}
    return out | {f"gradient/{target}": sample(x.grad, gradient_count), f"gradient_norm/{target}": norm(x.grad)}


def first_steps(network: Network, start: torch.Tensor, target: int) -> dict[str, np.ndarray]:
    """Every variant's run, in float64 and once more in float32; `network` and `start` in float64."""
    out = {}
    longest = max(baseline for *_, baseline in VARIANTS.values()) + STEPS
    out["steps/draws"], out["steps/theta"] = draw_thetas(longest, start.shape[-1])
    for variant in VARIANTS:
        double = run(network, start.double(), out["steps/theta"], target, variant)
        network.net.float()
        single = run(network, start.float(), out["steps/theta"], target, variant)
        network.net.double()
        out |= {f"steps/{variant}/{name}": value for name, value in double.items()}
        # How far PyTorch's own float32 strays: what a tolerance on these curves must allow.
        out |= {f"steps/{variant}/float32_{name}": single[name] for name in ("loss", "logit", "tv", "pixels")}
        for name in ("loss", "logit", "tv"):
            print(f"  {variant} {name}: {double[name]}\n    float32 off by {np.abs(single[name] - double[name])}")
        off = np.abs(single["pixels"] - double["pixels"]).max()
        print(f"  {variant} |gradient| {double['gradient_norm'][0]:.3e}, pixels off by {off:.3e}")
    return out


def network_golden(network: Network, target: int, count: int, gradient_count: int) -> tuple[dict[str, np.ndarray], dict[str, str]]:
    """What every network's file holds: input and start are the generated `pixels`, the same bits wherever they are made."""
    pixels = torch.from_numpy(generated("pixels", [1, 3, 224, 224])).double()
    tensors = inference(network, pixels, target, count, gradient_count) | first_steps(network, pixels, target)
    return tensors, {"input": "generated `pixels`", "class": str(target)}


# --- Networks and their weights --------------------------------------------------------------------------

def resnet18() -> Network:
    return Network(torchvision.models.resnet18(weights=None).double().eval(), 68)


def resnet34() -> Network:
    return Network(torchvision.models.resnet34(weights=None).double().eval(), 116)


def resnet50() -> Network:
    return Network(torchvision.models.resnet50(weights=None).double().eval(), 151)


def googlenet() -> Network:
    """With `transform_input`, as torchvision builds it for its own weights: after the usual normalising, inside the network."""
    net = torchvision.models.googlenet(weights=None, aux_logits=False, transform_input=True, init_weights=False)
    return Network(net.double().eval(), 224)


def inception_v1() -> Network:
    return Network(InceptionV1().double().eval(), 169, normalize_bvlc, tuple(v / 255 for v in SHIFT))


def load(network: Network, state: dict[str, torch.Tensor]) -> Network:
    """All weights, except the counters that inference does not use."""
    missing, unexpected = network.net.load_state_dict(state, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
    return network


def with_generated_weights(network: Network) -> Network:
    state = {
        name: torch.from_numpy(generated(name, list(value.shape))).double()
        for name, value in network.net.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }
    return load(network, state)


def with_shared_weights(network: Network, path: Path) -> tuple[Network, dict[str, str]]:
    state = {name: torch.from_numpy(value).double() for name, value in safetensors.numpy.load_file(path).items()}
    return load(network, state), {"weights": path.name, "weights_sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


def shared_resnet18(shared: Path) -> tuple[Network, dict[str, str]]:
    return with_shared_weights(resnet18(), shared / "weights/resnet18_imagenet.safetensors")


def shared_inception_v1(shared: Path) -> tuple[Network, dict[str, str]]:
    return with_shared_weights(inception_v1(), shared / "weights/inception_v1_bvlc.safetensors")


# --- The files -------------------------------------------------------------------------------------------

def with_generated(network: Network, count: int, gradient_count: int):
    """Class 1."""
    tensors, header = network_golden(with_generated_weights(network), 1, count, gradient_count)
    return tensors, header | {"weights": "generated"}


def make_resnet18(_shared=None):
    return with_generated(resnet18(), 1024, 16384)


def inference_alone(network: Network):
    """Class 1, without the first steps, which the smaller ResNet has."""
    pixels = torch.from_numpy(generated("pixels", [1, 3, 224, 224])).double()
    tensors = inference(with_generated_weights(network), pixels, 1, 64, 4096)
    return tensors, {"input": "generated `pixels`", "class": "1", "weights": "generated"}


def make_resnet34(_shared=None):
    return inference_alone(resnet34())


def make_resnet50(_shared=None):
    return inference_alone(resnet50())


def make_googlenet(_shared=None):
    return with_generated(googlenet(), 256, 8192)


def make_inception_v1(_shared=None):
    return with_generated(inception_v1(), 256, 8192)


def read_picture(path: Path) -> np.ndarray:
    """RGB bytes [224,224,3], as they are: the shared pictures need no resizing."""
    rgb = np.asarray(PIL.Image.open(path).convert("RGB"))
    assert rgb.shape == (224, 224, 3), (path, rgb.shape)
    return rgb


def picture_tensor(rgb: np.ndarray) -> torch.Tensor:
    """[1,3,224,224] in 0..1, rounded to float32 as any reader would, then float64."""
    return torch.from_numpy((rgb.astype(np.float32) / np.float32(255)).transpose(2, 0, 1)[None].copy()).double()


def with_picture(network: Network, header: dict[str, str], shared: Path, count: int, gradient_count: int):
    """Class 574, and a picture of it."""
    tensors, about = network_golden(network, 574, count, gradient_count)
    path = sorted((shared / "images/imagenette_val/574_golf_ball").iterdir())[0]
    rgb = read_picture(path)
    # JPEG decoders differ by up to 4 of 255, here in one value of seven: that moves activations by up to 4 % and the gradient by a third, so
    # the gradient is left out.
    picture = inference(network, picture_tensor(rgb), 574, 256, 1)
    tensors |= {f"picture/{name}": value for name, value in picture.items() if not name.startswith("gradient")}
    return tensors, header | about | {
        "picture": f"{path.parent.name}/{path.name}",
        "picture_sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "picture_rgb_sha256": hashlib.sha256(rgb.tobytes()).hexdigest(),
    }


def make_resnet18_imagenet(shared: Path):
    return with_picture(*shared_resnet18(shared), shared, 1024, 16384)


def make_inception_v1_bvlc(shared: Path):
    return with_picture(*shared_inception_v1(shared), shared, 256, 8192)


def top1(network: Network, header: dict[str, str], shared: Path):
    """Per picture: file, top-1, and how far its logit leads the second."""
    network.net.float()
    rows, right = [], 0
    root = shared / "images/imagenette_val"
    for path in sorted(root.glob("*/*")):
        with torch.no_grad():
            z = network(picture_tensor(read_picture(path)).float())[0]
        best = z.topk(2)
        right += best.indices[0].item() == int(path.parent.name.split("_")[0])
        rows.append([str(path.relative_to(root)), best.indices[0].item(), round((best.values[0] - best.values[1]).item(), 4)])
    print(f"  {right} of {len(rows)} right")
    return rows, header | {"correct": right, "pictures": len(rows), "accuracy": right / len(rows)}


def make_imagenette_top1(shared: Path):
    return top1(*shared_resnet18(shared), shared)


def make_imagenette_top1_inception_v1(shared: Path):
    return top1(*shared_inception_v1(shared), shared)
