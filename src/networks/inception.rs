//! InceptionV1 (Szegedy et al., 2014), as torchvision builds it (GoogLeNet, with batch norms) and as BVLC released it (with
//! biases, local response norms and true 5x5 windows), of any width and number of classes.

use super::builder::{Builder, square_pool};
use super::{Architecture, Module, Preprocessing};
use crate::error::Result;
use crate::graph::{Graph, NodeId, Op};
use crate::ops::LocalResponseNorm;
use crate::weights::Weights;

/// Batch norm's eps in torchvision's GoogLeNet.
const BN_EPS: f64 = 1e-3;

/// BVLC's norms.
const NORM: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };

/// The standard width: channels of the first convolution.
const WIDTH: usize = 64;

/// The blocks and their channels: of the 1x1; of the 3x3, reduced and then its own; of the 5x5, likewise; of the pool's 1x1.
const BLOCKS: [(&str, [usize; 6]); 9] = [
    ("inception3a", [64, 96, 128, 16, 32, 32]),
    ("inception3b", [128, 128, 192, 32, 96, 64]),
    ("inception4a", [192, 96, 208, 16, 48, 64]),
    ("inception4b", [160, 112, 224, 24, 64, 64]),
    ("inception4c", [128, 128, 256, 24, 64, 64]),
    ("inception4d", [112, 144, 288, 32, 64, 64]),
    ("inception4e", [256, 160, 320, 32, 128, 128]),
    ("inception5a", [256, 160, 320, 32, 128, 128]),
    ("inception5b", [384, 192, 384, 48, 128, 128]),
];

/// Heads that help training; at inference they are nothing, and a file may have them.
pub(super) const AUXILIARY: [&str; 2] = ["aux1.", "aux2."];

/// How the two networks differ.
#[derive(Clone, Copy)]
struct Kind {
    /// Batch norms and no biases, and no local response norms.
    batch_norm: bool,
    /// Window of what is called 5x5.
    five: usize,
    /// Window of the fourth pool.
    pool4: usize,
}

impl Kind {
    fn of(architecture: Architecture) -> Self {
        match architecture {
            Architecture::InceptionV1 => Self { batch_norm: false, five: 5, pool4: 3 },
            _ => Self { batch_norm: true, five: 3, pool4: 2 },
        }
    }
}

/// Channels where the standard network has `standard`, in one of another width.
pub(super) fn scaled(standard: usize, width: usize) -> usize {
    ((standard * width + WIDTH / 2) / WIDTH).max(1)
}

/// Every tensor that the network needs, with its shape. `outputs` gives the channels of each convolution from the name of its
/// weight and its channels in the standard network.
pub(super) fn manifest(
    architecture: Architecture,
    classes: usize,
    outputs: impl Fn(&str, usize) -> usize,
) -> Vec<(String, Vec<usize>)> {
    let Kind { batch_norm, five, .. } = Kind::of(architecture);
    let mut list = Vec::new();
    let mut conv = |name: &str, inputs: usize, standard: usize, window: usize| {
        let weight = format!("{name}.conv.weight");
        let channels = outputs(&weight, standard);
        list.push((weight, vec![channels, inputs, window, window]));
        if batch_norm {
            let parts = ["weight", "bias", "running_mean", "running_var"];
            list.extend(parts.map(|part| (format!("{name}.bn.{part}"), vec![channels])));
        } else {
            list.push((format!("{name}.conv.bias"), vec![channels]));
        }
        channels
    };
    let mut x = conv("conv1", 3, 64, 7);
    x = conv("conv2", x, 64, 1);
    x = conv("conv3", x, 192, 3);
    for (block, [one, reduced3, three, reduced5, five_channels, pooled]) in BLOCKS {
        let mut branch =
            |name: &str, inputs, standard, window| conv(&format!("{block}.{name}"), inputs, standard, window);
        let one = branch("branch1", x, one, 1);
        let reduced3 = branch("branch2.0", x, reduced3, 1);
        let three = branch("branch2.1", reduced3, three, 3);
        let reduced5 = branch("branch3.0", x, reduced5, 1);
        let five = branch("branch3.1", reduced5, five_channels, five);
        let pooled = branch("branch4.1", x, pooled, 1);
        x = one + three + five + pooled;
    }
    list.push(("fc.weight".into(), vec![classes, x]));
    list.push(("fc.bias".into(), vec![classes]));
    list
}

/// The graph and its modules, from tensors that fit the manifest.
pub(super) fn build(
    architecture: Architecture,
    weights: &Weights,
    input: &Preprocessing,
) -> Result<(Graph, Vec<Module>)> {
    let kind = Kind::of(architecture);
    let (mut b, mut x) = Builder::begin(weights, input)?;
    x = b.unit(kind, "conv1", x, 2, 3)?;
    x = b.max_pool("maxpool1", x, square_pool(3, 2, 0, true))?;
    x = b.norm(kind, "norm1", x)?;
    x = b.unit(kind, "conv2", x, 1, 0)?;
    x = b.unit(kind, "conv3", x, 1, 1)?;
    x = b.norm(kind, "norm2", x)?;
    x = b.max_pool("maxpool2", x, square_pool(3, 2, 0, true))?;
    for (block, _) in BLOCKS {
        match block {
            "inception4a" => x = b.max_pool("maxpool3", x, square_pool(3, 2, 0, true))?,
            "inception5a" => x = b.max_pool("maxpool4", x, square_pool(kind.pool4, 2, 0, true))?,
            _ => {}
        }
        x = b.block(kind, block, x)?;
    }
    x = b.avgpool(x)?;
    b.module("dropout", x);
    b.finish(x)
}

impl Builder<'_> {
    /// torchvision's `BasicConv2d`: a convolution, its batch norm if it has one, and a relu in place.
    fn unit(&mut self, kind: Kind, name: &str, x: NodeId, stride: usize, pad: usize) -> Result<NodeId> {
        let conv = self.conv(&format!("{name}.conv"), x, stride, pad)?;
        let last = if kind.batch_norm { self.batch_norm(&format!("{name}.bn"), conv, BN_EPS)? } else { conv };
        let relu = self.push(format!("{name}.relu"), Op::Relu, last)?;
        self.module(name, relu);
        // The relu writes over what comes just before it.
        self.aliased(&format!("{name}.conv"), conv, if kind.batch_norm { conv } else { relu });
        if kind.batch_norm {
            self.aliased(&format!("{name}.bn"), last, relu);
        }
        Ok(relu)
    }

    fn norm(&mut self, kind: Kind, name: &str, x: NodeId) -> Result<NodeId> {
        if kind.batch_norm {
            return Ok(x);
        }
        let y = self.push(name, Op::LocalResponseNorm(NORM), x)?;
        self.module(name, y);
        Ok(y)
    }

    /// Four branches beside each other: 1x1; 1x1 and 3x3; 1x1 and what is called 5x5; a pool and 1x1.
    fn block(&mut self, kind: Kind, block: &str, x: NodeId) -> Result<NodeId> {
        let at = |branch: &str| format!("{block}.{branch}");
        let inside = self.modules.len();
        let branch1 = self.unit(kind, &at("branch1"), x, 1, 0)?;
        let branch2 = self.sequence(&at("branch2"), |b| {
            let reduced = b.unit(kind, &at("branch2.0"), x, 1, 0)?;
            b.unit(kind, &at("branch2.1"), reduced, 1, 1)
        })?;
        let branch3 = self.sequence(&at("branch3"), |b| {
            let reduced = b.unit(kind, &at("branch3.0"), x, 1, 0)?;
            b.unit(kind, &at("branch3.1"), reduced, 1, kind.five / 2)
        })?;
        let branch4 = self.sequence(&at("branch4"), |b| {
            let pooled = b.max_pool(&at("branch4.0"), x, square_pool(3, 1, 1, true))?;
            b.unit(kind, &at("branch4.1"), pooled, 1, 0)
        })?;
        let y = self.join(block, Op::Concat, &[branch1, branch2, branch3, branch4])?;
        self.container(inside, block, y);
        Ok(y)
    }

    /// Units in a row, which are a module that shows the last.
    fn sequence(&mut self, name: &str, units: impl FnOnce(&mut Self) -> Result<NodeId>) -> Result<NodeId> {
        let inside = self.modules.len();
        let y = units(self)?;
        self.container(inside, name, y);
        Ok(y)
    }
}
