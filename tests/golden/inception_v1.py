"""The original InceptionV1 (Szegedy et al. 2015, "Going deeper with convolutions") as BVLC released it: biases and no batch norm, local
response norms, a true 5x5 in branch 3, every pool with ceil_mode. Names as in torchvision's googlenet, which is another network."""

import torch
import torch.nn.functional as F
from torch import nn

BLOCKS = {
    # name: inputs, 1x1, 3x3 after its reduction, 5x5 after its reduction, 1x1 after the pool
    "inception3a": (192, 64, (96, 128), (16, 32), 32),
    "inception3b": (256, 128, (128, 192), (32, 96), 64),
    "inception4a": (480, 192, (96, 208), (16, 48), 64),
    "inception4b": (512, 160, (112, 224), (24, 64), 64),
    "inception4c": (512, 128, (128, 256), (24, 64), 64),
    "inception4d": (512, 112, (144, 288), (32, 64), 64),
    "inception4e": (528, 256, (160, 320), (32, 128), 128),
    "inception5a": (832, 256, (160, 320), (32, 128), 128),
    "inception5b": (832, 384, (192, 384), (48, 128), 128),
}
SHIFT = [123.0, 117.0, 104.0]


def normalize_bvlc(x: torch.Tensor) -> torch.Tensor:
    """255 x - (123, 117, 104): RGB from 0..1."""
    return 255 * x - torch.tensor(SHIFT, dtype=x.dtype).view(1, 3, 1, 1)


class BasicConv2d(nn.Module):
    """The ReLU works in place, as in torchvision, so that `conv` kept by reference shows what comes after it."""

    def __init__(self, inputs: int, outputs: int, kernel: int, stride: int = 1):
        super().__init__()
        self.conv = nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2)

    def forward(self, x):
        return F.relu(self.conv(x), inplace=True)


class Inception(nn.Module):
    """Four branches side by side."""

    def __init__(self, inputs: int, one: int, three: tuple[int, int], five: tuple[int, int], pooled: int):
        super().__init__()
        self.branch1 = BasicConv2d(inputs, one, 1)
        self.branch2 = nn.Sequential(BasicConv2d(inputs, three[0], 1), BasicConv2d(*three, 3))
        self.branch3 = nn.Sequential(BasicConv2d(inputs, five[0], 1), BasicConv2d(*five, 5))
        self.branch4 = nn.Sequential(nn.MaxPool2d(3, 1, 1, ceil_mode=True), BasicConv2d(inputs, pooled, 1))

    def forward(self, x):
        return torch.cat([self.branch1(x), self.branch2(x), self.branch3(x), self.branch4(x)], 1)


class InceptionV1(nn.Module):
    """Modules run in the order of their definition."""

    def __init__(self):
        super().__init__()
        pool = lambda: nn.MaxPool2d(3, 2, ceil_mode=True)
        norm = lambda: nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
        self.conv1 = BasicConv2d(3, 64, 7, stride=2)
        self.maxpool1 = pool()
        self.norm1 = norm()
        self.conv2 = BasicConv2d(64, 64, 1)
        self.conv3 = BasicConv2d(64, 192, 3)
        self.norm2 = norm()
        self.maxpool2 = pool()
        for name, widths in BLOCKS.items():
            if name in ("inception4a", "inception5a"):
                self.add_module(f"maxpool{int(name[9]) - 1}", pool())
            self.add_module(name, Inception(*widths))
        self.avgpool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.4)
        self.fc = nn.Linear(1024, 1000)

    def forward(self, x):
        for name, module in self.named_children():
            x = module(x.flatten(1) if name == "dropout" else x)
        return x
