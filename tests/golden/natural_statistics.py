"""The distance of activations from natural statistics, and the gradient of the whole loss to the pixels, in networks with generated weights.
The statistics are of what a batch norm is given, or of what a convolution gives if there are no norms, each image's over its positions. Natural
are a norm's running statistics, or under `measured` those of the images in `photographs`.
"""

import numpy as np
import torch

from method import as_numpy, generated, norm, sample
from networks import googlenet, inception_v1, resnet18, with_generated_weights

CLASS, WEIGHT = 1, 0.25
# So large that it, and not the logit, makes most of the gradient in every form.
MEASURED_WEIGHT = 64
PARTS = ["mean", "variance", "mean_spread", "variance_spread"]
CONTRASTS = np.array([0.25, 0.625, 1.0], dtype=np.float32).reshape(3, 1, 1, 1)


def length(x: torch.Tensor) -> torch.Tensor:
    return x.square().sum(-1).sqrt()


# Of a layer's means, variances, and those that its norm keeps, to one value an image.
FORMS = {
    "norms": lambda m, v, mu, s: length(m - mu) + length(v - s),
    "layer-ratios": lambda m, v, mu, s: length(m - mu) / length(s.sqrt()) + length(v - s) / length(s),
    "relative": lambda m, v, mu, s: ((m - mu).square() / s).mean(-1) + ((v / s).sqrt() - 1).square().mean(-1),
    "norms below": lambda m, v, mu, s: length(m - mu) + length((v - s).clamp(max=0)),
    "layer-ratios above": lambda m, v, mu, s: length(m - mu) / length(s.sqrt()) + length((v - s).clamp(min=0)) / length(s),
}


def distance(network, pixels: torch.Tensor, form: str) -> tuple[torch.Tensor, torch.Tensor]:
    """One value an image, and the logits."""
    parts, hooks = [], []

    def hook(module, inputs, _output):
        x = inputs[0].flatten(2)
        parts.append(FORMS[form](x.mean(2), x.var(2, unbiased=False), module.running_mean, module.running_var))

    for module in network.net.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            hooks.append(module.register_forward_hook(hook))
    z = network(pixels)
    for hook in hooks:
        hook.remove()
    return sum(parts), z


# --- Measured statistics ---------------------------------------------------------------------------------

# Of an image's means and variances, and the four natural values of each channel.
MEASURED = {
    form: lambda m, v, mu, s, _ms, _vs, form=form: FORMS[form](m, v, mu, s) for form in ("norms", "layer-ratios", "relative")
} | {"spread": lambda m, v, mu, s, ms, vs: length(m - mu) / length(ms.sqrt()) + length(v - s) / length(vs.sqrt())}


def moments(network, pixels: torch.Tensor) -> tuple[dict[str, list], torch.Tensor]:
    """Means and variances, [N,C] each, of every layer: of the norms' inputs and outputs, or twice of the convolutions' outputs."""
    seen, hooks = {"compared": [], "shown": []}, []
    norms = any(isinstance(module, torch.nn.BatchNorm2d) for module in network.net.modules())

    def own(x):
        # A copy, because a ReLU overwrites the output.
        x = x.clone().flatten(2)
        return x.mean(2), x.var(2, unbiased=False)

    def hook(_module, inputs, output):
        seen["compared"].append(own(inputs[0] if norms else output))
        seen["shown"].append(own(output))

    for module in network.net.modules():
        if isinstance(module, torch.nn.BatchNorm2d if norms else torch.nn.Conv2d):
            hooks.append(module.register_forward_hook(hook))
    z = network(pixels)
    for hook in hooks:
        hook.remove()
    return seen, z


def natural(layers: list) -> list[list[torch.Tensor]]:
    """The four parts of every layer."""
    over = lambda x: [x.mean(0), x.var(0, unbiased=False)]
    return [[over(m)[0], over(v)[0], over(m)[1], over(v)[1]] for m, v in layers]


def make_measured(name: str, network) -> dict:
    photographs = torch.from_numpy(generated("photographs", [3, 3, 224, 224]) * CONTRASTS).double()
    with torch.no_grad():
        seen, _ = moments(network, photographs)
    out = {}
    for i, part in enumerate(PARTS):
        whole = torch.cat([layer[i] for layer in natural(seen["shown"])])
        out |= {f"measured/{name}/statistics/{part}": sample(whole), f"measured/{name}/statistics/{part}_norm": norm(whole)}
    kept = natural(seen["compared"])
    pixels = torch.from_numpy(generated("pixels", [2, 3, 224, 224])).double()
    for form, distance_of in MEASURED.items():
        x = pixels.clone().requires_grad_()
        seen, z = moments(network, x)
        distances = sum(distance_of(*own, *of) for own, of in zip(seen["compared"], kept))
        (MEASURED_WEIGHT * distances - z[:, CLASS]).sum().backward()
        print(f"  measured {name} {form}: {distances.tolist()}")
        key = f"measured/{name}/{form}"
        out |= {f"{key}/value": as_numpy(distances), f"{key}/gradient": sample(x.grad), f"{key}/gradient_norm": norm(x.grad)}
    return out


def make_natural_statistics(_shared=None):
    out = {}
    pixels = torch.from_numpy(generated("pixels", [2, 3, 224, 224])).double()
    for name, build in {"resnet18": resnet18, "googlenet": googlenet}.items():
        network = with_generated_weights(build())
        for form in FORMS:
            x = pixels.clone().requires_grad_()
            natural, z = distance(network, x, form)
            (WEIGHT * natural - z[:, CLASS]).sum().backward()
            print(f"  {name} {form}: {natural.tolist()}")
            key = f"{name}/{form}"
            out.update({f"{key}/value": as_numpy(natural), f"{key}/gradient": sample(x.grad), f"{key}/gradient_norm": norm(x.grad)})
    for name, build in {"resnet18": resnet18, "inception_v1": inception_v1}.items():
        out |= make_measured(name, with_generated_weights(build()))
    return out, {"input": "generated `pixels` of two images", "class": str(CLASS), "weight": str(WEIGHT), "measured_weight": str(MEASURED_WEIGHT)}
