"""The distance of activations from the running statistics of batch norms, and the gradient of the whole loss to the pixels, in networks with
generated weights. The statistics are of what a batch norm is given, each image's over its positions.
"""

import torch

from method import as_numpy, generated, norm, sample
from networks import googlenet, resnet18, with_generated_weights

CLASS, WEIGHT = 1, 0.25


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
    return out, {"input": "generated `pixels` of two images", "class": str(CLASS), "weight": str(WEIGHT)}
