"""Lucent's published arithmetic, written out from its formulas: the spectrum, the colours, each transform, and ten steps with a ResNet-18."""

import math

import numpy as np
import torch
import torch.nn.functional as F

from method import SEED, as_numpy, generated, norm, sample
from networks import resnet18, with_generated_weights
from ops import as_float32_if_exact, ints, prefixed, random_tensor

SIDE = 128  # of the parameterised image; the network's is 224
STEPS = 10
CLASS = 1
LR = 0.05
SCALES = [1 + (i - 5) / 50.0 for i in range(11)]
ANGLES = list(range(-10, 11)) + 5 * [0]
# What Lucid calls the square root of the colours' covariance in ImageNet.
COLOURS = torch.tensor([[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]], dtype=torch.float64)


# --- The parameterization --------------------------------------------------------------------------------

def spectrum_scale(h: int, w: int) -> np.ndarray:
    """[H,W/2+1]: 1 / max(f, 1/max(w,h)), f in cycles per pixel."""
    fy, fx = np.fft.fftfreq(h)[:, None], np.fft.fftfreq(w)[: w // 2 + 1]
    return 1.0 / np.maximum(np.sqrt(fx * fx + fy * fy), 1.0 / max(w, h))


def irfft2(spectrum: torch.Tensor, scale: torch.Tensor) -> torch.Tensor:
    """[B,3,H,W/2+1,2] to [B,3,H,W]."""
    h, w = spectrum.shape[2], 2 * (spectrum.shape[3] - 1)
    return torch.fft.irfftn(torch.view_as_complex(scale[..., None] * spectrum), s=(h, w), dim=(-2, -1), norm="ortho")


def to_rgb(image: torch.Tensor) -> torch.Tensor:
    """Out of decorrelated channels, then a sigmoid."""
    matrix = COLOURS / COLOURS.norm(dim=0).max()
    return torch.einsum("cd,bdhw->bchw", matrix.to(image.dtype), image).sigmoid()


def render(spectrum: torch.Tensor) -> torch.Tensor:
    scale = torch.from_numpy(spectrum_scale(SIDE, SIDE)).to(spectrum.dtype)
    return to_rgb(irfft2(spectrum, scale) / 4.0)


# --- The transforms --------------------------------------------------------------------------------------

def pad(x, w):
    return F.pad(x, [w] * 4, mode="constant", value=0.5)


def jitter(x, dx, dy):
    """Right by dx and down by dy; zeros come in."""
    h, w = x.shape[2:]
    return F.pad(x, [dx, 0, dy, 0])[:, :, :h, :w]


def scale(x, factor):
    before = x.shape[2]
    after = math.ceil(factor * before)
    zeros = max(0, math.ceil((before - after) / 2))
    return F.pad(F.interpolate(x, size=(after, after), mode="bilinear", align_corners=True), [zeros] * 4)


def rotate(x, degrees):
    """About ((w-1)/2, (h-1)/2), anticlockwise as OpenCV's getRotationMatrix2D has it; sampled at pixel indices, zeros beyond."""
    h, w = x.shape[2:]
    angle = math.radians(degrees)
    cx, cy = (w - 1) / 2, (h - 1) / 2
    y, x_index = torch.meshgrid(torch.arange(h, dtype=x.dtype), torch.arange(w, dtype=x.dtype), indexing="ij")
    # The forward map is [[cos, sin], [-sin, cos]] about the centre; what is sampled is its inverse.
    px = math.cos(angle) * (x_index - cx) - math.sin(angle) * (y - cy) + cx
    py = math.sin(angle) * (x_index - cx) + math.cos(angle) * (y - cy) + cy
    grid = torch.stack([2 * px / (w - 1) - 1, 2 * py / (h - 1) - 1], dim=-1)[None].expand(x.shape[0], h, w, 2)
    return F.grid_sample(x, grid, "bilinear", "zeros", align_corners=True)


def upsample(x):
    return F.interpolate(x, size=(224, 224), mode="bilinear", align_corners=True)


def transform(x, draws):
    """`draws`: jitter's two, the scale, the angle, jitter's two."""
    dx, dy, factor, degrees, dx2, dy2 = draws
    x = jitter(pad(x, 12), int(dx), int(dy))
    return upsample(jitter(rotate(scale(x, factor), degrees), int(dx2), int(dy2)))


def draw(rng) -> list[float]:
    """As Lucent draws, once for each transform in their order."""
    return [rng.choice(8), rng.choice(8), rng.choice(SCALES), rng.choice(ANGLES), rng.choice(4), rng.choice(4)]


# --- The steps -------------------------------------------------------------------------------------------

def run(network, start: torch.Tensor, draws: np.ndarray, eps: float, lr: float) -> dict[str, np.ndarray]:
    """Loss before each update, the first gradient, and the last image, upsampled and not transformed otherwise."""
    spectrum = start.clone().requires_grad_()
    adam = torch.optim.Adam([spectrum], lr=lr, eps=eps)
    losses, out = [], {"start": sample(upsample(render(start)), 4096)}
    for step in range(STEPS):
        # Normalising is the network's own first step here, and upsampling before it is the same: weights of a pixel add up to 1.
        logit = network(transform(render(spectrum), draws[step]))[0, CLASS]
        adam.zero_grad()
        (-logit).backward()
        losses.append(-logit.item())
        if step == 0:
            out |= {"gradient": sample(spectrum.grad, 8192), "gradient_norm": norm(spectrum.grad)}
        adam.step()
    image = upsample(render(spectrum))
    return out | {"loss": np.array(losses), "image": sample(image, 8192), "image_norm": norm(image)}


VARIANTS = {"published": (1e-8, LR), "smooth": (0.1, LR / 10)}  # Adam's eps, lr


def steps() -> dict[str, np.ndarray]:
    network = with_generated_weights(resnet18())
    rng = np.random.default_rng(SEED)
    draws = np.array([draw(rng) for _ in range(STEPS)])
    # Uniform numbers of about Lucent's standard deviation of 0.01, exact in float32.
    start = torch.from_numpy((generated("spectrum", [1, 3, SIDE, SIDE // 2 + 1, 2]) - np.float32(0.5)) / np.float32(32)).double()
    out = {"steps/draws": draws}
    for variant, (eps, lr) in VARIANTS.items():
        double = run(network, start, draws, eps, lr)
        network.net.float()
        single = run(network, start.float(), draws, eps, lr)
        network.net.double()
        out |= prefixed(f"steps/{variant}", double) | prefixed(f"steps/{variant}", {f"float32_{k}": single[k] for k in ("loss", "image")})
        print(f"  {variant}: {double['loss']}\n    float32 off by {np.abs(single['loss'] - double['loss'])}, "
              f"image by {np.linalg.norm(single['image'] - double['image']) / np.linalg.norm(double['image']):.1e}")  # fmt: skip
    return out


# --- Single ops ------------------------------------------------------------------------------------------

def with_gradient(rng, x, f):
    x = x.clone().requires_grad_()
    y = f(x)
    dy = random_tensor(rng, *y.shape)
    y.backward(dy)
    return {name: as_numpy(value) for name, value in (("x", x), ("y", y), ("dy", dy), ("dx", x.grad))}


def flat_pairs(tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """[N,C,H,K,2] as [N,C,H,2K]."""
    return {name: value.reshape(*value.shape[:3], -1) if value.ndim == 5 else value for name, value in tensors.items()}


def cases() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(SEED)
    out = {}
    for i, (h, w) in enumerate([(2, 2), (4, 30), (30, 4), (14, 22), (2, 224), (224, 2), (4, 128), (2, 1000), (1000, 2), (26, 26)]):
        factor = random_tensor(rng, h, w // 2 + 1, lo=0.25)
        tensors = with_gradient(rng, random_tensor(rng, 1, 2, h, w // 2 + 1, 2), lambda s: irfft2(s, factor))
        out |= prefixed(f"irfft2/{i}", flat_pairs(tensors) | {"scale": as_numpy(factor)})
    out |= prefixed("to_rgb", with_gradient(rng, random_tensor(rng, 2, 3, 5, 7, lo=-4, hi=4), to_rgb))
    out["scale_of/128"] = spectrum_scale(SIDE, SIDE)[:: 9, :: 8]
    transforms = {
        "pad": ([], lambda x: pad(x, 3)),
        "jitter": ([5, 2], lambda x: jitter(x, 5, 2)),
        "smaller": ([0.9], lambda x: scale(x, 0.9)),
        "larger": ([1.08], lambda x: scale(x, 1.08)),
        "rotate": ([7], lambda x: rotate(x, 7)),
    }
    for name, (draws, f) in transforms.items():
        about = {"draw": np.array(draws + [0.0] * (2 - len(draws)))}
        out |= prefixed(f"transform/{name}", with_gradient(rng, random_tensor(rng, 1, 3, 24, 24, lo=0.0), f) | about)
    return out


def make_lucent(_shared=None):
    tensors = cases() | steps()
    header = {"weights": "generated", "class": str(CLASS), "input": "generated `spectrum`, less 1/2, by 32"}
    return {name: as_float32_if_exact(value) for name, value in tensors.items()}, header
