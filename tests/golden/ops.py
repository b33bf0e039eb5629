"""Single ops against torch.nn.functional and torchvision: small odd cases, inputs included. Inputs are exact in float32, results float64."""

import numpy as np
import torch
import torch.nn.functional as F
import torchvision.transforms.functional as TF
from torchvision.transforms import InterpolationMode

from method import (MEAN, SEED, STD, as_numpy, generated, normalize, probability_variance, sample, theta_from,
                    total_variation, warp)  # fmt: skip


def random_tensor(rng, *dims, lo=-1.0, hi=1.0) -> torch.Tensor:
    """float64 values that float32 holds exactly, so that inputs are the same on both sides."""
    return torch.from_numpy(rng.uniform(lo, hi, dims).astype(np.float32)).double()


def as_float32_if_exact(x: np.ndarray) -> np.ndarray:
    """Inputs take half the room."""
    return x.astype(np.float32) if x.dtype == np.float64 and (x.astype(np.float32) == x).all() else x


def with_gradient(rng, x: torch.Tensor, f) -> dict[str, np.ndarray]:
    """x, y = f(x), a random dy, and dx."""
    x = x.clone().requires_grad_()
    y = f(x)
    dy = random_tensor(rng, *y.shape)
    y.backward(dy)
    return {name: as_numpy(value) for name, value in (("x", x), ("y", y), ("dy", dy), ("dx", x.grad))}


def prefixed(prefix: str, tensors: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    return {f"{prefix}/{name}": value for name, value in tensors.items()}


def ints(*values) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def conv2d_cases(rng) -> dict[str, np.ndarray]:
    out = {}
    convs = [  # x, w, stride, pad (top, left, bottom, right)
        ((2, 3, 9, 11), (4, 3, 3, 3), (1, 1), (1, 1, 1, 1)),
        ((1, 3, 17, 13), (5, 3, 7, 7), (2, 2), (3, 3, 3, 3)),
        ((2, 2, 7, 10), (3, 2, 3, 2), (2, 3), (1, 0, 0, 2)),
        ((1, 5, 6, 4), (2, 5, 1, 1), (2, 2), (0, 0, 0, 0)),
        ((1, 2, 8, 5), (3, 2, 5, 3), (1, 2), (0, 2, 4, 1)),
    ]
    for i, (x, w, stride, (top, left, bottom, right)) in enumerate(convs):
        weight, bias = random_tensor(rng, *w), random_tensor(rng, w[0])
        f = lambda x: F.conv2d(F.pad(x, [left, right, top, bottom]), weight, bias, stride)
        out |= prefixed(f"conv2d/{i}", with_gradient(rng, random_tensor(rng, *x), f))
        about = {"w": as_numpy(weight), "b": as_numpy(bias), "stride": ints(*stride), "pad": ints(top, left, bottom, right)}
        out |= prefixed(f"conv2d/{i}", about)
    return out


def max_pool2d_cases(rng, pools, first: int) -> dict[str, np.ndarray]:
    """`pools`: x, kernel, stride, pad, ceil_mode; values in quarters, so that windows tie. `first` numbers the first of them."""
    out = {}
    pair = lambda v: v if isinstance(v, tuple) else (v, v)
    for i, (x, kernel, stride, pad, ceil_mode) in enumerate(pools, first):
        x = torch.from_numpy(np.round(rng.uniform(-1, 1, x) * 4) / 4)
        f = lambda x: F.max_pool2d(x, kernel, stride, pad, ceil_mode=ceil_mode, return_indices=True)
        out |= prefixed(f"max_pool2d/{i}", with_gradient(rng, x, lambda x: f(x)[0]))
        out |= prefixed(f"max_pool2d/{i}", {"argmax": f(x)[1].numpy(), "kernel": ints(*pair(kernel)), "stride": ints(*pair(stride)),
                                            "pad": ints(*pair(pad), *pair(pad)), "ceil_mode": ints(ceil_mode)})  # fmt: skip
    return out


def local_response_norm_cases(rng) -> dict[str, np.ndarray]:
    """Inputs so large that the norm matters, and some zeros."""
    cases = [  # x, size, alpha, beta, k, the inputs' scale
        ((2, 7, 3, 5), 5, 1e-4, 0.75, 1.0, 300.0),  # InceptionV1's own numbers
        ((1, 7, 5, 3), 5, 1e-2, 0.75, 1.0, 30.0),
        ((2, 3, 3, 4), 5, 1e-2, 0.75, 1.0, 30.0),  # a window wider than the channels
        ((1, 1, 2, 3), 5, 1e-2, 0.75, 1.0, 30.0),
        ((1, 6, 3, 1), 3, 1e-2, 0.5, 2.0, 30.0),
        ((2, 7, 1, 3), 4, 1e-2, 0.75, 1.0, 30.0),  # even: two channels before, one after
        ((1, 5, 3, 2), 2, 1e-2, 1.0, 0.5, 30.0),
        ((1, 4, 3, 5), 1, 1e-2, 0.75, 1.0, 30.0),
    ]
    out = {}
    for i, (x, size, alpha, beta, k, scale) in enumerate(cases):
        x = random_tensor(rng, *x, lo=-scale, hi=scale)
        x[0, -1, 0, 0] = 0
        tensors = with_gradient(rng, x, lambda x: F.local_response_norm(x, size, alpha, beta, k))
        shrunk = np.linalg.norm(tensors["y"]) / (np.linalg.norm(tensors["x"]) * k**-beta)
        assert shrunk < 0.8, (i, shrunk)
        about = {"size": ints(size), "alpha": np.array([alpha]), "beta": np.array([beta]), "k": np.array([k])}
        out |= prefixed(f"local_response_norm/{i}", tensors | about)
    return out


def loss_cases(rng) -> dict[str, np.ndarray]:
    out = {}
    x = random_tensor(rng, 2, 3, 6, 7)
    x[0, :, 2, :] = x[0, :, 3, :]  # equal neighbours: sign(0) = 0
    for form in ("l1", "l2", "l1-sum", "isotropic"):
        each = lambda x: torch.stack([total_variation(image[None], form) for image in x])
        out |= prefixed(f"total_variation/{form}", with_gradient(rng, x, each))
    for form in ("softmax", "logits"):
        each = lambda z: torch.stack([probability_variance(row[None], form) for row in z])
        out |= prefixed(f"probability_variance/{form}", with_gradient(rng, random_tensor(rng, 3, 9, lo=-3, hi=3), each))
    return out


def adam_steps(rng) -> dict[str, np.ndarray]:
    x, gradients = random_tensor(rng, 8).requires_grad_(), random_tensor(rng, 5, 8) * torch.logspace(-12, 2, 8)
    start = as_numpy(x).copy()
    adam, after = torch.optim.Adam([x], lr=0.05), []
    for dx in gradients:
        x.grad = dx.clone()
        adam.step()
        after.append(as_numpy(x).copy())
    return prefixed("adam", {"start": start, "dx": as_numpy(gradients), "x": np.stack(after)})


def affine_warp_cases(rng) -> dict[str, np.ndarray]:
    # torchvision's affine on C 3, H 17, W 23: `*_zero` without fill, which is zero padding; `*_fill` with its own fill, which where the mask is
    # fractional multiplies the zero-padded sum by the mask once more: mask sum + (1 - mask) fill. The project's is sum + (1 - mask) fill.
    out = {}
    image, fill = random_tensor(rng, 1, 3, 17, 23, lo=0), [0.25, 0.5, 0.75]
    out["affine_warp/x"], out["affine_warp/fill"] = as_numpy(image), np.array(fill)
    dy = random_tensor(rng, *image.shape)
    out["affine_warp/dy"] = as_numpy(dy)
    warps = [(0.0, 3, -2, 1.0), (29.3, 0, 0, 1.0), (-137.5, -4, 5, 0.7), (90.25, 11, -8, 1.3), (171.0, 2, 1, 0.93)]
    for i, (angle, tx, ty, scale) in enumerate(warps):
        prefix, theta = f"affine_warp/{i}", theta_from(angle, tx, ty, scale, 23, 17)
        out |= {f"{prefix}/params": np.array([angle, tx, ty, scale]), f"{prefix}/theta": np.array(theta)}
        for mode, interpolation in (("bilinear", InterpolationMode.BILINEAR), ("nearest", InterpolationMode.NEAREST)):
            theirs = lambda x, fill: TF.affine(x, angle, [tx, ty], scale, [0.0, 0.0], interpolation, fill)
            x = image.clone().requires_grad_()
            y = theirs(x, None)
            y.backward(dy)
            # (A position half way between two pixels would be a matter of rounding: no case has one.)
            difference = (y - warp(image, theta, mode, [0.0] * 3)).abs().max().item()
            assert difference < 1e-12, (i, mode, difference)
            found = {"zero": y, "fill": theirs(image, fill), "dx": x.grad}
            out |= {f"{prefix}/{mode}_{name}": as_numpy(value) for name, value in found.items()}
    return out


def make_ops(_shared=None):
    rng = np.random.default_rng(SEED)
    out = {}

    def put(prefix, tensors):
        out.update(prefixed(prefix, tensors))

    for name, dims in (("conv1.weight", [64, 3, 7, 7]), ("fc.weight", [10, 512]), ("bn1.weight", [64]), ("bn1.bias", [64]),
                       ("bn1.running_mean", [64]), ("bn1.running_var", [64]), ("pixels", [1, 3, 224, 224])):  # fmt: skip
        out[f"generated/{name}"], out[f"generated_dims/{name}"] = sample(generated(name, dims), 64), ints(*dims)

    out |= conv2d_cases(rng)

    pools = [  # x, kernel, stride, pad, ceil_mode
        ((2, 3, 11, 9), 3, 2, 1, False),
        ((1, 2, 12, 8), 3, 2, 0, True),
        ((1, 2, 7, 7), 2, 2, 0, True),
        ((2, 1, 9, 10), 3, 1, 1, True),
        ((1, 1, 5, 8), (3, 2), (3, 4), (1, 0), True),
    ]
    out |= max_pool2d_cases(rng, pools, 0)

    mean, weight, bias = (random_tensor(rng, 3) for _ in range(3))
    var = random_tensor(rng, 3, lo=0.1, hi=2.0)
    put("batch_norm", with_gradient(rng, random_tensor(rng, 2, 3, 4, 5), lambda x: F.batch_norm(x, mean, var, weight, bias, eps=1e-3)))
    put("batch_norm", {"mean": as_numpy(mean), "var": as_numpy(var), "weight": as_numpy(weight), "bias": as_numpy(bias), "eps": np.array([1e-3])})

    x = random_tensor(rng, 2, 3, 4, 5)
    x[0, 0, 0, :2] = 0
    put("relu", with_gradient(rng, x, F.relu))
    put("avg_pool2d", with_gradient(rng, random_tensor(rng, 2, 3, 7, 5), lambda x: F.adaptive_avg_pool2d(x, 1)))
    weight, bias = random_tensor(rng, 4, 6), random_tensor(rng, 4)
    put("linear", with_gradient(rng, random_tensor(rng, 3, 6), lambda x: F.linear(x, weight, bias)))
    put("linear", {"w": as_numpy(weight), "b": as_numpy(bias)})
    put("normalize", with_gradient(rng, random_tensor(rng, 2, 3, 4, 5), normalize))
    put("normalize", {"mean": np.array(MEAN), "std": np.array(STD)})

    out |= loss_cases(rng)
    out |= adam_steps(rng)
    out |= affine_warp_cases(rng)

    # Later cases have draws of their own, so that those above keep theirs.
    rng = np.random.default_rng(SEED + 1)
    out |= local_response_norm_cases(rng)
    pools_of_inceptions = [  # small, as googlenet's 112, 56, 28, 14 and 7 wide ones
        ((2, 2, 14, 14), 3, 2, 0, True),
        ((1, 3, 9, 13), 3, 2, 0, True),
        ((1, 2, 3, 4), 3, 2, 0, True),
        ((2, 2, 14, 14), 2, 2, 0, True),
        ((1, 3, 5, 8), 2, 2, 0, True),
        ((1, 3, 7, 14), 3, 1, 1, True),
    ]
    out |= max_pool2d_cases(rng, pools_of_inceptions, len(pools))
    return {name: as_float32_if_exact(value) for name, value in out.items()}, {}
