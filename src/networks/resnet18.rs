//! ResNet-18 (He et al., 2015) as torchvision builds it, of any width and number of classes.

use super::builder::{Builder, square_pool};
use super::{Module, Preprocessing};
use crate::error::Result;
use crate::graph::{Graph, NodeId, Op};
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

/// The graph and its modules, from tensors that fit the manifest.
pub(super) fn build(weights: &Weights, input: &Preprocessing) -> Result<(Graph, Vec<Module>)> {
    let (mut b, x) = Builder::begin(weights, input)?;
    let conv1 = b.conv("conv1", x, 2, 3)?;
    let bn1 = b.batch_norm("bn1", conv1, BN_EPS)?;
    let relu = b.push("relu", Op::Relu, bn1)?;
    b.module("conv1", conv1);
    b.aliased("bn1", bn1, relu);
    b.module("relu", relu);
    let mut x = b.max_pool("maxpool", relu, square_pool(3, 2, 1, false))?;
    for layer in 1..=4 {
        let inside = b.modules.len();
        for block in 0..2 {
            let stride = if layer > 1 && block == 0 { 2 } else { 1 };
            x = b.basic_block(&format!("layer{layer}.{block}"), x, stride, layer > 1 && block == 0)?;
        }
        b.container(inside, &format!("layer{layer}"), x);
    }
    let avgpool = b.avgpool(x)?;
    b.finish(avgpool)
}

impl Builder<'_> {
    /// `relu(bn2(conv2(relu(bn1(conv1(x))))) + x)`, with x through `downsample` where the shape changes.
    fn basic_block(&mut self, at: &str, x: NodeId, stride: usize, downsample: bool) -> Result<NodeId> {
        let conv1 = self.conv(&format!("{at}.conv1"), x, stride, 1)?;
        let bn1 = self.batch_norm(&format!("{at}.bn1"), conv1, BN_EPS)?;
        let relu1 = self.push(format!("{at}.relu (first call)"), Op::Relu, bn1)?;
        let conv2 = self.conv(&format!("{at}.conv2"), relu1, 1, 1)?;
        let bn2 = self.batch_norm(&format!("{at}.bn2"), conv2, BN_EPS)?;
        let mut identity = x;
        let mut down = None;
        if downsample {
            let conv = self.conv(&format!("{at}.downsample.0"), x, stride, 0)?;
            identity = self.batch_norm(&format!("{at}.downsample.1"), conv, BN_EPS)?;
            down = Some(conv);
        }
        let sum = self.join(format!("{at}.add"), Op::Add, &[bn2, identity])?;
        let out = self.push(format!("{at}.relu"), Op::Relu, sum)?;
        // In place: bn1's output becomes the first relu's, bn2's the block's.
        self.module(at, out);
        self.module(&format!("{at}.conv1"), conv1);
        self.aliased(&format!("{at}.bn1"), bn1, relu1);
        self.module(&format!("{at}.relu"), out);
        self.module(&format!("{at}.conv2"), conv2);
        self.aliased(&format!("{at}.bn2"), bn2, out);
        if let Some(conv) = down {
            self.module(&format!("{at}.downsample"), identity);
            self.module(&format!("{at}.downsample.0"), conv);
            self.module(&format!("{at}.downsample.1"), identity);
        }
        Ok(out)
    }
}
