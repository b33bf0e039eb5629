"""Objectives other than a class's logit: their value and the gradient of minus that to the pixels, in whole networks with generated weights.

Each text is what the command line takes; beside it stands the same by hand. Modules are copied in a forward hook.
"""

import numpy as np
import torch

from method import as_numpy, generated, norm, sample
from networks import googlenet, inception_v1, resnet18, with_generated_weights

DIRECTION = [(i * 37 % 17 - 8) / 8 for i in range(64)]


def log_p(logits: torch.Tensor) -> torch.Tensor:
    return torch.log_softmax(logits, dim=1)


# Of the network's modules m (a dictionary) and logits z to one value an image.
OBJECTIVES = {
    "resnet18": (resnet18, {
        "channel:layer3.1:17": lambda m, z: m["layer3.1"][:, 17].mean((1, 2)),
        "neuron:layer2.0.bn2:5@3,20": lambda m, z: m["layer2.0.bn2"][:, 5, 3, 20],
        "0.5*layer:layer1.0.conv1 + 2*channel:layer4.1.conv2:100": lambda m, z: 0.5 * (m["layer1.0.conv1"] ** 2).mean((1, 2, 3))
        + 2 * m["layer4.1.conv2"][:, 100].mean((1, 2)),
        f"-0.5*direction:bn1:[{','.join(f'{v:g}' for v in DIRECTION)}]": lambda m, z: -0.5
        * torch.einsum("nchw,c->nhw", m["bn1"], torch.tensor(DIRECTION, dtype=m["bn1"].dtype)).mean((1, 2)),
        "0.7*logit:1 - 0.3*logit:2 + 5*prob:3 - logprob:4 + 0.25*logodds:5/6": lambda m, z: 0.7 * z[:, 1] - 0.3 * z[:, 2]
        + 5 * log_p(z)[:, 3].exp() - log_p(z)[:, 4] + 0.25 * (log_p(z)[:, 5] - log_p(z)[:, 6]),
        "channel:fc:7 + 0.1*channel:layer2.1.relu:3 - 2*logprob:7": lambda m, z: z[:, 7] + 0.1 * m["layer2.1.relu"][:, 3].mean((1, 2))
        - 2 * log_p(z)[:, 7],
        "layer:maxpool - 10*neuron:layer3.0:5@0,13 + neuron:layer3.0:9": lambda m, z: (m["maxpool"] ** 2).mean((1, 2, 3))
        - 10 * m["layer3.0"][:, 5, 0, 13] + m["layer3.0"][:, 9, 7, 7],
    }),
    "googlenet": (googlenet, {
        "neuron:inception4c:5@7,7": lambda m, z: m["inception4c"][:, 5, 7, 7],
        "channel:inception4c.branch2.1:9 - 0.5*channel:inception3b.branch3.0.conv:4": lambda m, z: m["inception4c.branch2.1"][:, 9].mean((1, 2))
        - 0.5 * m["inception3b.branch3.0.conv"][:, 4].mean((1, 2)),
        "layer:inception5b.branch4 + channel:inception4a.branch4.0:100": lambda m, z: (m["inception5b.branch4"] ** 2).mean((1, 2, 3))
        + m["inception4a.branch4.0"][:, 100].mean((1, 2)),
    }),
    "inception_v1": (inception_v1, {
        "channel:norm2:5 + layer:inception3a": lambda m, z: m["norm2"][:, 5].mean((1, 2)) + (m["inception3a"] ** 2).mean((1, 2, 3)),
    }),
}  # fmt: skip

DIVERSE = "channel:layer1.1:3 + 0.5*diversity:layer2.0"


def forward(network, pixels: torch.Tensor):
    """Every module's output, copied, and the logits."""
    kept, hooks = {}, []
    for name, module in network.net.named_modules():
        hooks.append(module.register_forward_hook(lambda _m, _i, output, name=name: kept.__setitem__(name, output.clone())))
    z = network(pixels)
    for hook in hooks:
        hook.remove()
    return kept, z


def diverse(m) -> torch.Tensor:
    """Lucid's arithmetic, one value an image: its cosine similarity with the others, which are held still."""
    x = m["layer2.0"].flatten(2)
    grams = torch.nn.functional.normalize((x @ x.transpose(1, 2)).flatten(1), dim=1)
    still = grams.detach()
    count = len(grams)
    cosines = torch.stack([sum((grams[i] * still[j]).sum() for j in range(count) if j != i) for i in range(count)])
    return m["layer1.1"][:, 3].mean((1, 2)) - 0.5 * cosines / (count - 1)


def make_objectives(_shared=None):
    out, about = {}, {}

    def add(key: str, text: str, network, pixels: torch.Tensor, of):
        x = pixels.clone().requires_grad_()
        f = of(*forward(network, x))
        (-f.sum()).backward()
        print(f"  {key} {text[:60]}: {f.tolist()}")
        out.update({f"{key}/value": as_numpy(f), f"{key}/gradient": sample(x.grad), f"{key}/gradient_norm": norm(x.grad)})
        about[key] = text

    pixels = torch.from_numpy(generated("pixels", [3, 3, 224, 224])).double()
    for name, (build, objectives) in OBJECTIVES.items():
        network = with_generated_weights(build())
        for i, (text, of) in enumerate(objectives.items()):
            add(f"{name}/{i}", text, network, pixels[:1], of)
        if name == "resnet18":
            add("diverse/0", DIVERSE, network, pixels, lambda m, z: diverse(m))
    return out, {"input": "generated `pixels` of three images, of which the first is taken alone"} | about
