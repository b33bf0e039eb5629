"""What both kinds of golden are made of: tensors that follow from their name, and the method's formulas in PyTorch."""

import math

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF

SEED = 0
MEAN = [0.485, 0.456, 0.406]
STD = [0.229, 0.224, 0.225]
SAMPLE_PRIME, SAMPLE_OFFSET = 1_000_003, 7


def fnv1a64(data: bytes) -> int:
    """Fowler, Noll and Vo's hash, 1a, 64 bits."""
    value = 0xCBF29CE484222325
    for byte in data:
        value = (value ^ byte) * 0x100000001B3 % 2**64
    return value


def generated(name: str, dims: list[int], seed: int = SEED) -> np.ndarray:
    """The float32 tensor `name`: splitmix64's bits of a counter, scaled as the name asks."""
    key = np.uint64(fnv1a64(name.encode()) ^ seed)
    with np.errstate(over="ignore"):
        z = key + np.arange(1, math.prod(dims) + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
    u = (z >> np.uint64(40)).astype(np.float64) * 2.0**-24
    weight = name.endswith(".weight")
    if name.endswith(".running_var") or (weight and len(dims) == 1):
        value = 0.5 + u
    elif name.endswith((".running_mean", ".bias")):
        value = (2 * u - 1) * 0.1
    elif weight:
        value = (2 * u - 1) * math.sqrt(6 / math.prod(dims[1:]))
    else:
        value = u
    return value.astype(np.float32).reshape(dims)


def sample(x, count: int = 1024) -> np.ndarray:
    """All elements, or `count` of them spread out by a prime; float32."""
    flat = as_numpy(x).reshape(-1)
    if flat.size > count:
        flat = flat[(np.arange(count) * SAMPLE_PRIME + SAMPLE_OFFSET) % flat.size]
    return flat.astype(np.float32)


def norm(x) -> np.ndarray:
    """The L2 norm as [1] float64."""
    return np.array([np.linalg.norm(as_numpy(x).reshape(-1))])


def as_numpy(x) -> np.ndarray:
    return np.ascontiguousarray(x.detach().double().numpy() if isinstance(x, torch.Tensor) else x)


def normalize(x: torch.Tensor) -> torch.Tensor:
    """(x - mean) / std."""
    mean, std = (torch.tensor(v, dtype=x.dtype).view(1, 3, 1, 1) for v in (MEAN, STD))
    return (x - mean) / std


def theta_from(angle_deg: float, tx: float, ty: float, scale: float, w: int, h: int) -> list[float]:
    """torchvision's affine as the inverse map in pixel indices: px = a ox + b oy + c, py = d ox + e oy + f."""
    # torchvision works about the centre, where index o sits at o + 1/2 - size/2.
    a, b, c, d, e, f = TF._get_inverse_affine_matrix([0.0, 0.0], angle_deg, [tx, ty], scale, [0.0, 0.0])
    cx, cy = (w - 1) / 2, (h - 1) / 2
    return [a, b, c + cx - a * cx - b * cy, d, e, f + cy - d * cx - e * cy]


def warp(x: torch.Tensor, theta: list[float], mode: str, fill: list[float]) -> torch.Tensor:
    """grid_sample with zero padding, and the fill where the image does not cover: y = warp(x) + (1 - warp(1)) fill."""
    n, _, h, w = x.shape
    a, b, c, d, e, f = theta
    oy, ox = torch.meshgrid(torch.arange(h, dtype=x.dtype), torch.arange(w, dtype=x.dtype), indexing="ij")
    px, py = a * ox + b * oy + c, d * ox + e * oy + f
    grid = torch.stack([(2 * px + 1) / w - 1, (2 * py + 1) / h - 1], dim=-1).expand(n, h, w, 2)
    sampled, mask = (F.grid_sample(v, grid, mode, "zeros", align_corners=False) for v in (x, torch.ones_like(x)))
    return sampled + (1 - mask) * torch.tensor(fill, dtype=x.dtype).view(1, -1, 1, 1)


def total_variation(x: torch.Tensor, form: str) -> torch.Tensor:
    """One number for an image [1,C,H,W]."""
    dh, dv = x[..., :, 1:] - x[..., :, :-1], x[..., 1:, :] - x[..., :-1, :]
    if form == "l1":
        return dh.abs().mean() + dv.abs().mean()
    if form == "l2":
        return dh.square().mean() + dv.square().mean()
    if form == "l1-sum":
        return dh.abs().sum() + dv.abs().sum()
    assert form == "isotropic"
    dh, dv = F.pad(dh, [0, 1]), F.pad(dv, [0, 0, 0, 1])
    return (dh.square() + dv.square() + 1e-8).sqrt().sum()


def probability_variance(z: torch.Tensor, form: str) -> torch.Tensor:
    """One number for logits [1,K]; the biased variance."""
    return (z.softmax(1) if form == "softmax" else z).var(unbiased=False)
