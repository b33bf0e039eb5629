//! ResNet-18 (He et al., 2015) as torchvision builds it, of any width and number of classes.

use super::{IMAGENET_MEAN, IMAGENET_STD, Module, SIDE};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Op};
use crate::ops::{Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ScaleShift};
use crate::shape::Shape;
use crate::weights::Weights;

/// Batch norm's eps in torchvision's ResNets.
const BN_EPS: f64 = 1e-5;

/// Every tensor that the network needs, with its shape.
pub(super) fn manifest(width: usize, classes: usize) -> Vec<(String, Vec<usize>)> {
    let mut list = Vec::new();
    let mut conv = |name: &str, norm: &str, shape: [usize; 4]| {
        list.push((format!("{name}.weight"), shape.to_vec()));
        for part in ["weight", "bias", "running_mean", "running_var"] {
            list.push((format!("{norm}.{part}"), vec![shape[0]]));
        }
    };
    conv("conv1", "bn1", [width, 3, 7, 7]);
    let mut channels = width;
    for layer in 1..=4 {
        let planes = width << (layer - 1);
        for block in 0..2 {
            let at = format!("layer{layer}.{block}");
            conv(&format!("{at}.conv1"), &format!("{at}.bn1"), [planes, channels, 3, 3]);
            conv(&format!("{at}.conv2"), &format!("{at}.bn2"), [planes, planes, 3, 3]);
            if layer > 1 && block == 0 {
                conv(&format!("{at}.downsample.0"), &format!("{at}.downsample.1"), [planes, channels, 1, 1]);
            }
            channels = planes;
        }
    }
    list.push(("fc.weight".into(), vec![classes, channels]));
    list.push(("fc.bias".into(), vec![classes]));
    list
}

struct Builder<'a> {
    weights: &'a Weights,
    graph: Graph,
    modules: Vec<Module>,
}

/// The graph and its modules, from tensors that fit the manifest.
pub(super) fn build(weights: &Weights) -> Result<(Graph, Vec<Module>)> {
    let mut b = Builder { weights, graph: Graph::new(Shape::new(1, 3, SIDE, SIDE)), modules: Vec::new() };
    let pixels = b.graph.input();
    let normalize = ScaleShift::normalize(&IMAGENET_MEAN, &IMAGENET_STD);
    let x = b.graph.push("normalize", Op::ScaleShift(normalize), &[pixels])?;
    // The root comes first; what it shows is known at the end.
    b.module("root", x, x);
    let conv1 = b.conv("conv1", x, 2, 3)?;
    let bn1 = b.batch_norm("bn1", conv1)?;
    let relu = b.graph.push("relu", Op::Relu, &[bn1])?;
    b.module("conv1", conv1, conv1);
    b.module("bn1", bn1, relu);
    b.module("relu", relu, relu);
    let pool = MaxPool2d { kernel: [3, 3], stride: [2, 2], pad: [1; 4], ceil_mode: false };
    let mut x = b.graph.push("maxpool", Op::MaxPool2d(pool), &[relu])?;
    b.module("maxpool", x, x);
    for layer in 1..=4 {
        let at = b.modules.len();
        for block in 0..2 {
            let stride = if layer > 1 && block == 0 { 2 } else { 1 };
            x = b.basic_block(&format!("layer{layer}.{block}"), x, stride, layer > 1 && block == 0)?;
        }
        b.modules.insert(at, Module { name: format!("layer{layer}"), snapshot: x, alias: x });
    }
    let avgpool = b.graph.push("avgpool", Op::GlobalAvgPool2d(GlobalAvgPool2d), &[x])?;
    b.module("avgpool", avgpool, avgpool);
    let linear = Linear { w: weights.tensor_f32("fc.weight")?.into(), b: weights.tensor_f32("fc.bias")?.into() };
    let fc = b.graph.push("fc", Op::Linear(linear), &[avgpool])?;
    b.module("fc", fc, fc);
    (b.modules[0].snapshot, b.modules[0].alias) = (fc, fc);
    Ok((b.graph, b.modules))
}

impl Builder<'_> {
    fn module(&mut self, name: &str, snapshot: NodeId, alias: NodeId) {
        self.modules.push(Module { name: name.to_owned(), snapshot, alias });
    }

    fn conv(&mut self, name: &str, x: NodeId, stride: usize, pad: usize) -> Result<NodeId> {
        let tensor = format!("{name}.weight");
        let shape: Option<[usize; 4]> = self.weights.shape(&tensor).and_then(|s| s.try_into().ok());
        let w_shape = shape.ok_or_else(|| Error::input(format!("`{tensor}` is no convolution's weight")))?;
        let w = self.weights.tensor_f32(&tensor)?.into();
        let conv = Conv2d { w, w_shape, b: None, stride: [stride; 2], pad: [pad; 4] };
        self.graph.push(name, Op::Conv2d { conv, relu: false }, &[x])
    }

    fn batch_norm(&mut self, name: &str, x: NodeId) -> Result<NodeId> {
        let part = |part: &str| self.weights.tensor_f32(&format!("{name}.{part}"));
        let (weight, bias, mean, var) = (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
        if let Some(i) = var.iter().position(|&v| v < 0.0) {
            let value = var[i];
            return Err(Error::input(format!(
                "`{name}.running_var` is {value} at {i}, and a variance is not negative"
            )));
        }
        let norm = ScaleShift::batch_norm(&weight, &bias, &mean, &var, BN_EPS);
        self.graph.push(name, Op::ScaleShift(norm), &[x])
    }

    /// `relu(bn2(conv2(relu(bn1(conv1(x))))) + x)`, with x through `downsample` where the shape changes.
    fn basic_block(&mut self, at: &str, x: NodeId, stride: usize, downsample: bool) -> Result<NodeId> {
        let conv1 = self.conv(&format!("{at}.conv1"), x, stride, 1)?;
        let bn1 = self.batch_norm(&format!("{at}.bn1"), conv1)?;
        let relu1 = self.graph.push(format!("{at}.relu (first call)"), Op::Relu, &[bn1])?;
        let conv2 = self.conv(&format!("{at}.conv2"), relu1, 1, 1)?;
        let bn2 = self.batch_norm(&format!("{at}.bn2"), conv2)?;
        let mut identity = x;
        let mut down = None;
        if downsample {
            let conv = self.conv(&format!("{at}.downsample.0"), x, stride, 0)?;
            identity = self.batch_norm(&format!("{at}.downsample.1"), conv)?;
            down = Some(conv);
        }
        let sum = self.graph.push(format!("{at}.add"), Op::Add, &[bn2, identity])?;
        let out = self.graph.push(format!("{at}.relu"), Op::Relu, &[sum])?;
        // In place: bn1's output becomes the first relu's, bn2's the block's.
        self.module(at, out, out);
        self.module(&format!("{at}.conv1"), conv1, conv1);
        self.module(&format!("{at}.bn1"), bn1, relu1);
        self.module(&format!("{at}.relu"), out, out);
        self.module(&format!("{at}.conv2"), conv2, conv2);
        self.module(&format!("{at}.bn2"), bn2, out);
        if let Some(conv) = down {
            self.module(&format!("{at}.downsample"), identity, identity);
            self.module(&format!("{at}.downsample.0"), conv, conv);
            self.module(&format!("{at}.downsample.1"), identity, identity);
        }
        Ok(out)
    }
}
