"""PyTorch's step, as a process that run.py asks: `torch_peer.py FLAGS DEVICE NETWORK WEIGHTS INPUT`.

FLAGS are joined by `+`: `eager` (nothing special), `channels_last`, `fold` (batch norms into convolutions), `compile`
(torch.compile), `graphs` (the whole step as one CUDA graph).
"""

import sys
import time

import torch
import torch.nn.functional as F
import torchvision
from safetensors.torch import load_file, save_file
from torch.fx.experimental.optimization import fuse

FLAGS = {"eager", "channels_last", "fold", "compile", "graphs"}


class Peer:
    def __init__(self, flags: set[str], device: str, network: str, weights: str, path: str):
        # Full f32, as everyone else computes.
        torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        torch.backends.cudnn.benchmark = True
        data = {name: tensor.to(device) for name, tensor in load_file(path).items()}
        model = load(network, weights)
        if "fold" in flags:
            model = fuse(model)
        layout = torch.channels_last if "channels_last" in flags else torch.contiguous_format
        self.model = model.to(device, memory_format=layout)
        self.start = data["images"].contiguous(memory_format=layout)
        self.images = self.start.clone().requires_grad_()
        self.mean, self.std = (data[name].view(1, 3, 1, 1) for name in ("mean", "std"))
        self.hf_weight = float(data["hf_weight"])
        self.classes = data["classes"].long()[:, None]
        self.thetas = normalized(data["theta"], self.start.shape[-1])
        self.theta = self.thetas[0].clone()
        lr, beta1, beta2, eps = (float(data[name]) for name in ("lr", "beta1", "beta2", "eps"))
        self.graphs = "graphs" in flags
        self.adam = torch.optim.Adam([self.images], lr, (beta1, beta2), eps, fused=True, capturable=self.graphs)
        self.loss = torch.compile(self.eager_loss) if "compile" in flags else self.eager_loss
        self.warm_up()

    def normalize(self, images: torch.Tensor) -> torch.Tensor:
        return (images - self.mean) / self.std

    def eager_loss(self, images: torch.Tensor, theta: torch.Tensor) -> torch.Tensor:
        """One number an image."""
        grid = F.affine_grid(theta, images.shape, align_corners=False)
        # Normalised first, so that the zeros beyond the rim are the mean colour.
        x = F.grid_sample(self.normalize(images), grid, align_corners=False)
        logits = self.model(x).gather(1, self.classes).squeeze(1)
        across, down = images[..., :, 1:] - images[..., :, :-1], images[..., 1:, :] - images[..., :-1, :]
        variation = across.abs().sum((1, 2, 3)) + down.abs().sum((1, 2, 3))
        return self.hf_weight * variation - logits

    def one_step(self) -> torch.Tensor:
        self.adam.zero_grad(set_to_none=True)
        loss = self.loss(self.images, self.theta)
        loss.sum().backward()
        self.adam.step()
        return loss.detach()

    def warm_up(self):
        """Compiles, tunes and captures, then sets everything back to the start."""
        self.replay = None
        if self.graphs:
            torch.cuda.synchronize()
            with torch.cuda.stream(torch.cuda.Stream()):
                for _ in range(3):
                    self.one_step()
            torch.cuda.synchronize()
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph):
                loss = self.one_step()
            self.replay = lambda: (graph.replay(), loss.clone())[1]
        else:
            for _ in range(3):
                self.one_step()
        with torch.no_grad():
            self.images.copy_(self.start)
            for value in self.adam.state[self.images].values():
                value.zero_()
        self.step = 0

    def advance(self, steps: int) -> list[list[float]]:
        """Steps, waited for; their losses."""
        losses = []
        for _ in range(steps):
            self.theta.copy_(self.thetas[self.step % len(self.thetas)])
            losses.append(self.replay() if self.replay else self.one_step())
            self.step += 1
        return torch.stack(losses).tolist()

    def check(self, steps: int) -> dict[str, torch.Tensor]:
        with torch.no_grad():
            logits = self.model(self.normalize(self.images))
        losses = self.advance(1)
        gradient = self.images.grad.clone()
        losses += self.advance(steps - 1)
        found = {"logits": logits, "losses": torch.tensor(losses), "gradient": gradient, "images": self.images.detach()}
        return {name: tensor.cpu().contiguous() for name, tensor in found.items()}


def build(network: str) -> torch.nn.Module:
    """torchvision's network as its published weights want it."""
    options = {"aux_logits": False, "transform_input": True, "init_weights": False} if network == "googlenet" else {}
    return torchvision.models.get_model(network, weights=None, **options)


def load(network: str, weights: str) -> torch.nn.Module:
    """The network with constant weights."""
    model = build(network)
    missing, unexpected = model.load_state_dict(load_file(weights), strict=False)
    if unexpected or any(not name.endswith("num_batches_tracked") for name in missing):
        raise SystemExit(f"{weights} is not {network}: missing {missing[:3]}, unexpected {unexpected[:3]}")
    return model.eval().requires_grad_(False)


def normalized(theta: torch.Tensor, side: int) -> torch.Tensor:
    """Maps between pixel indices as maps between [-1, 1], as affine_grid takes them: [T,N,6] to [T,N,2,3]."""
    a, b, c, d, e, f = theta.double().unbind(-1)
    centre = (side - 1) / 2
    x, y = ((a + b - 1) * centre + c) * 2 / side, ((d + e - 1) * centre + f) * 2 / side
    return torch.stack([torch.stack([a, b, x], -1), torch.stack([d, e, y], -1)], -2).float()


def describe(device: str) -> str:
    if device == "cpu":
        return f"CPU, {torch.get_num_threads()} threads, {torch.backends.cpu.get_cpu_capability()}"
    return f"{torch.cuda.get_device_name()}, CUDA {torch.version.cuda}, cuDNN {torch.backends.cudnn.version()}"


def main():
    flags, device, network, weights, path = sys.argv[1:]
    flags = set(flags.split("+"))
    if flags - FLAGS:
        raise SystemExit(f"unknown {', '.join(flags - FLAGS)}; there are {', '.join(sorted(FLAGS))}")
    if "graphs" in flags and device == "cpu":
        raise SystemExit("CUDA graphs need a CUDA device")
    peer = Peer(flags, device, network, weights, path)
    print(describe(device), flush=True)
    for line in sys.stdin:
        match line.split():
            case ["check", steps, file]:
                save_file(peer.check(int(steps)), file)
                print("checked", flush=True)
            case ["step", count]:
                started = time.perf_counter()
                peer.advance(int(count))
                print(f"{(time.perf_counter() - started) * 1e3:.4f}", flush=True)


if __name__ == "__main__":
    main()
