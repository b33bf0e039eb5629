"""Writes the ONNX models of this folder, and what PyTorch or ONNX's reference computes from them.

    pip install torch onnx onnxscript numpy safetensors
    python make.py

A model X.onnx with X.safetensors beside it is read: `x` [2,C,H,W], `logits` [2,K], and `dx`, the gradient of Σ_k dy[n,k] · logits[n,k]
for the given `dy`. A model without it is refused.
"""

import os

import numpy as np
import onnx
import torch
from onnx import TensorProto, helper, numpy_helper
from safetensors.numpy import save_file
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
torch.manual_seed(0)


class Block(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.depthwise = nn.Conv2d(channels, channels, 3, padding=1, groups=channels, bias=False)
        self.norm = nn.BatchNorm2d(channels)
        self.pointwise = nn.Conv2d(channels, channels, 1)

    def forward(self, x):
        return x + self.pointwise(torch.relu(self.norm(self.depthwise(x))))


class Net(nn.Module):
    """Groups, dilation, strides, a residual, a concatenation, pools and a fully connected layer."""

    def __init__(self, channels=3, classes=5):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(channels, 8, 3, stride=2, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.pool = nn.MaxPool2d(3, 2, ceil_mode=True)
        self.block = Block(8)
        self.left = nn.Conv2d(8, 4, 3, padding=2, dilation=2)
        self.right = nn.Conv2d(8, 6, (1, 3), padding=(0, 1), groups=2)
        self.head = nn.Linear(10, classes)

    def forward(self, x):
        x = self.block(self.pool(self.stem(x)))
        x = torch.cat([self.left(x), self.right(x)], 1)
        return self.head(torch.relu(x).mean((2, 3)))


class Windows(nn.Module):
    """Attention as vision transformers write it: within windows that are merged with the batch, shifted and masked as in Swin; over all
    windows by nn.MultiheadAttention, for which the batch is the second axis, with a class token; and by einsum."""

    def __init__(self):
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 2, 2)
        self.norm = nn.LayerNorm(8)
        self.qkv = nn.Linear(8, 24)
        self.bias = nn.Parameter(torch.randn(1, 2, 4, 4) * 0.3)
        self.token = nn.Parameter(torch.randn(1, 1, 8))
        self.place = nn.Parameter(torch.randn(1, 25, 8) * 0.2)
        self.attention = nn.MultiheadAttention(8, 2, batch_first=True)
        self.head = nn.Linear(8, 5)

    def forward(self, x):
        x = self.norm(self.patches(x).permute(0, 2, 3, 1))
        n, h, w, c = x.shape
        # Windows of 2x2, shifted by one place.
        x = torch.roll(x, shifts=(-1, -1), dims=(1, 2))
        t = x.view(n, h // 2, 2, w // 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n * (h // 2) * (w // 2), 4, c)
        q, k, v = self.qkv(t).reshape(t.size(0), 4, 3, 2, c // 2).permute(2, 0, 3, 1, 4)
        a = (q * 0.5).matmul(k.transpose(-2, -1)) + self.bias
        mask = x.new_zeros((h, w))
        count = 0
        for rows in ((0, h - 1), (h - 1, h)):
            for columns in ((0, w - 1), (w - 1, w)):
                mask[rows[0] : rows[1], columns[0] : columns[1]] = count
                count += 1
        mask = mask.view(h // 2, 2, w // 2, 2).permute(0, 2, 1, 3).reshape((h // 2) * (w // 2), 4)
        mask = mask.unsqueeze(1) - mask.unsqueeze(2)
        mask = mask.masked_fill(mask != 0, -100.0).masked_fill(mask == 0, 0.0)
        a = a.view(t.size(0) // mask.size(0), mask.size(0), 2, 4, 4) + mask.unsqueeze(1).unsqueeze(0)
        t = torch.einsum("b h i j, b h j d -> b i h d", torch.softmax(a.view(-1, 2, 4, 4), -1), v).reshape(t.size(0), 4, c)
        x = t.view(n, h // 2, w // 2, 2, 2, c).permute(0, 1, 3, 2, 4, 5).reshape(n, h * w, c)
        x = torch.cat([self.token.expand(n, -1, -1), x], 1) + self.place
        x = x + self.attention(x, x, x, need_weights=False)[0]
        return self.head(x[:, 0])


def spread(net):
    """Norms as after training: no mean is zero and no variance is one."""
    for module in net.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.running_mean.uniform_(-0.3, 0.3)
            module.running_var.uniform_(0.5, 1.5)
            nn.init.uniform_(module.weight, 0.5, 1.5)
            nn.init.uniform_(module.bias, -0.2, 0.2)
    return net.eval()


def golden(name, function, shape):
    x = torch.rand(shape, requires_grad=True)
    logits = function(x)
    dy = torch.randn(logits.shape)
    (logits * dy).sum().backward()
    values = {"x": x, "logits": logits, "dy": dy, "dx": x.grad}
    save_file({k: v.detach().float().numpy().copy() for k, v in values.items()}, os.path.join(HERE, f"{name}.safetensors"))


def export(name, net, shape, **options):
    path = os.path.join(HERE, f"{name}.onnx")
    torch.onnx.export(net, (torch.rand(shape),), path, input_names=["image"], output_names=["logits"], **options)
    strip(path)
    golden(name, net, (2, *shape[1:]))


def strip(path):
    """Removes what exporters note about the program that called them."""
    model = onnx.load(path, load_external_data=False)
    del model.graph.metadata_props[:]
    for part in [model.graph, *model.graph.node, *model.graph.value_info, *model.graph.input, *model.graph.output]:
        part.ClearField("doc_string")
        del part.metadata_props[:]
    onnx.save(model, path)


def by_hand(name, nodes, tensors, shape, classes, opset=17, inputs=("x",), logits=None):
    values = [numpy_helper.from_array(value, key) for key, value in tensors.items()]
    ports = [helper.make_tensor_value_info(key, TensorProto.FLOAT, shape) for key in inputs]
    y = helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", classes])
    graph = helper.make_graph(nodes, "by hand", ports, [y], values)
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)])
    model.ir_version = 8
    path = os.path.join(HERE, f"{name}.onnx")
    onnx.save(model, path)
    if logits is not None:
        golden(name, logits, (2, *shape[1:]))
    return model


def main():
    spec = (1, 3, 20, 26)
    batch = {"image": {0: "N"}, "logits": {0: "N"}}
    net = spread(Net())
    export("torchscript", net, spec, dynamo=False, dynamic_axes=batch, opset_version=17)
    export("batch_norm", net, spec, dynamo=False, do_constant_folding=False, training=torch.onnx.TrainingMode.PRESERVE)
    export("dynamo", net, spec, dynamo=True, external_data=False)
    export("external", net, spec, dynamo=True, external_data=True)
    export("grey", spread(Net(1, 2)), (1, 1, 17, 19), dynamo=False, opset_version=11)

    # The seed of each keeps the files above and below as they are.
    with torch.random.fork_rng():
        torch.manual_seed(1)
        windows = Windows().eval()
        export("windows", windows, (1, 3, 8, 12), dynamo=False, dynamic_axes=batch, opset_version=17)
        export("windows_dynamo", windows, (1, 3, 8, 12), dynamo=True, external_data=False, dynamic_shapes=({0: torch.export.Dim("N")},))

    w = torch.randn(4, 3, 3, 3) * 0.3
    f = torch.randn(4, 6) * 0.5
    b = torch.randn(6)
    k = torch.tensor(0.5)

    def keras(x):
        x = nn.functional.pad(x, (0, 1, 0, 1))
        y = torch.relu(nn.functional.conv2d(nn.functional.pad(x, (1, 2, 0, 1)), w, stride=2)) * k - 0.25
        return 2.0 * (y.mean((2, 3)) @ f) + b

    # What converters from TensorFlow write: SAME padding, a Pad of its own, constants in Constant nodes, a product before a bias.
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["padded"]),
        helper.make_node("Pad", ["padded", "more"], ["more_padded"]),
        helper.make_node("Conv", ["more_padded", "w"], ["c"], strides=[2, 2], auto_pad="VALID", name="conv"),
        helper.make_node("Relu", ["c"], ["r"], name="relu"),
        helper.make_node("ConstantOfShape", ["one"], ["k"], value=numpy_helper.from_array(np.array([0.5], np.float32))),
        helper.make_node("Mul", ["r", "k"], ["m"], name="mul"),
        helper.make_node("Sub", ["m", "quarter"], ["s"], name="sub"),
        helper.make_node("ReduceMean", ["s"], ["g"], axes=[-2, -1], keepdims=0, name="mean"),
        helper.make_node("Gemm", ["g", "f", "b"], ["z"], alpha=2.0, name="fc"),
        helper.make_node("Softmax", ["z"], ["y"], name="softmax"),
        helper.make_node("Relu", ["r"], ["unused"], name="unused"),
    ]
    tensors = {
        "pads": np.array([0, 0, 0, 0, 0, 0, 1, 1]),
        "more": np.array([0, 0, 0, 1, 0, 0, 1, 2]),
        "w": w.numpy(),
        "one": np.array([1]),
        "quarter": np.full((1, 4, 1, 1), 0.25, np.float32),
        "f": f.numpy(),
        "b": b.numpy(),
    }
    by_hand("converted", nodes, tensors, ["N", 3, 11, 9], 6, logits=keras)

    def same(x):
        x = nn.functional.pad(x, (1, 1, 0, 1))
        return nn.functional.conv2d(x, w.half().float(), stride=2).mean((2, 3))

    nodes = [
        helper.make_node("Cast", ["half"], ["w"], to=TensorProto.FLOAT),
        helper.make_node("Conv", ["x", "w"], ["c"], strides=[2, 2], auto_pad="SAME_UPPER"),
        helper.make_node("GlobalAveragePool", ["c"], ["g"]),
        helper.make_node("Reshape", ["g", "shape"], ["y"]),
    ]
    tensors = {"half": w.half().numpy(), "shape": np.array([0, -1])}
    by_hand("same", nodes, tensors, ["N", 3, 10, 9], 4, logits=same)

    # Refused.
    pool = helper.make_node("GlobalAveragePool", ["x"], ["g"])
    flat = helper.make_node("Flatten", ["g"], ["y"])
    by_hand("refused_operator", [helper.make_node("Det", ["x"], ["d"], name="det"), pool, helper.make_node("Flatten", ["d"], ["y"])], {}, ["N", 3, 8, 8], 3)
    by_hand("refused_inputs", [helper.make_node("Add", ["x", "z"], ["a"]), helper.make_node("GlobalAveragePool", ["a"], ["g"]), flat], {}, ["N", 3, 8, 8], 3, inputs=("x", "z"))
    by_hand("refused_input_shape", [pool, flat], {}, ["N", 8, 8, 3], 8)
    by_hand("refused_output", [helper.make_node("Relu", ["x"], ["y"])], {}, ["N", 3, 8, 8], 3)
    by_hand("refused_opset", [pool, flat], {}, ["N", 3, 8, 8], 3, opset=6)
    by_hand("refused_cycle", [helper.make_node("Add", ["x", "a"], ["b"]), helper.make_node("Add", ["x", "b"], ["a"], name="second"), helper.make_node("GlobalAveragePool", ["a"], ["g"]), flat], {}, ["N", 3, 8, 8], 3)
    mixes = [helper.make_node("Reshape", ["x", "shape"], ["r"], name="mixes"), helper.make_node("GlobalAveragePool", ["r"], ["g"]), flat]
    by_hand("refused_batch", mixes, {"shape": np.array([3, 1, 8, 8])}, [1, 3, 8, 8], 3)
    huge = [helper.make_node("ConstantOfShape", ["shape"], ["c"], name="huge"), helper.make_node("Add", ["x", "c"], ["a"]), helper.make_node("GlobalAveragePool", ["a"], ["g"]), flat]
    by_hand("refused_size", huge, {"shape": np.array([1 << 20, 1 << 20, 1 << 20])}, ["N", 3, 8, 8], 3)
    shift = helper.make_node("Add", ["x", "c"], ["a"])
    model = by_hand("refused_outside", [shift, helper.make_node("GlobalAveragePool", ["a"], ["g"]), flat], {"c": np.ones((1, 3, 1, 1), np.float32)}, ["N", 3, 8, 8], 3)
    tensor = model.graph.initializer[0]
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="../../../../etc/passwd")
    onnx.save(model, os.path.join(HERE, "refused_outside.onnx"))
    tensor.external_data[0].value = "nowhere.data"
    onnx.save(model, os.path.join(HERE, "refused_missing.onnx"))


if __name__ == "__main__":
    main()
