//! InceptionV1 (Szegedy et al., 2014), as torchvision builds it (GoogLeNet, with batch norms) and as BVLC released it (with
//! biases, local response norms and true 5x5 windows), of any width and number of classes.

use super::builder::{Builder, Conv, Layer, square_pool};
use super::definition::Definition;
use super::preprocessing::Preprocessing;
use crate::error::Result;
use crate::ops::LocalResponseNorm;

/// Batch norm's eps in torchvision's GoogLeNet.
const BN_EPS: f64 = 1e-3;

/// BVLC's norms.
const NORM: LocalResponseNorm = LocalResponseNorm { size: 5, alpha: 1e-4, beta: 0.75, k: 1.0 };

/// The standard width: channels of the first convolution.
const WIDTH: usize = 64;

/// The blocks with their channels: the 1x1; the 3x3's reduction, the 3x3; the 5x5's reduction, the 5x5; the 1x1 behind the pool.
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

/// Auxiliary heads, which only training needs.
const AUXILIARY: &[&str] = &["aux1.", "aux2."];

const FIRST: &str = "conv1.conv.weight";

/// The differences between the two networks.
#[derive(Clone, Copy)]
struct Kind {
    /// Batch norms and no biases, and no local response norms.
    batch_norm: bool,
    /// The window of the convolution that is 5x5 in the paper.
    five: usize,
    /// Window of the fourth pool.
    pool4: usize,
}

pub(super) const GOOGLENET: Definition = Definition {
    layers: |b, x| layers(b, x, Kind { batch_norm: true, five: 3, pool4: 2 }),
    // torchvision's GoogLeNet transforms its input if its weights are the published ones or were trained from them.
    preprocessing: || Preprocessing { transform_input: true, ..Preprocessing::imagenet() },
    first: FIRST,
    ignored_heads: AUXILIARY,
};

pub(super) const INCEPTION_V1: Definition = Definition {
    layers: |b, x| layers(b, x, Kind { batch_norm: false, five: 5, pool4: 3 }),
    preprocessing: Preprocessing::caffe,
    first: FIRST,
    ignored_heads: AUXILIARY,
};

/// The number of channels at another width, for a layer that has `standard` channels in the standard network.
fn scaled(standard: usize, width: usize) -> usize {
    ((standard * width + WIDTH / 2) / WIDTH).max(1)
}

/// The stem, nine blocks with pools between them, and the pool over all positions.
fn layers(b: &mut Builder<'_>, mut x: Layer, kind: Kind) -> Result<Layer> {
    x = b.unit(kind, "conv1", x, Unit { channels: 64, window: 7, stride: 2 })?;
    x = b.max_pool("maxpool1", x, square_pool(3, 2, 0, true))?;
    x = b.response_norm(kind, "norm1", x)?;
    x = b.unit(kind, "conv2", x, square(64, 1))?;
    x = b.unit(kind, "conv3", x, square(192, 3))?;
    x = b.response_norm(kind, "norm2", x)?;
    x = b.max_pool("maxpool2", x, square_pool(3, 2, 0, true))?;
    for (block, channels) in BLOCKS {
        match block {
            "inception4a" => x = b.max_pool("maxpool3", x, square_pool(3, 2, 0, true))?,
            "inception5a" => x = b.max_pool("maxpool4", x, square_pool(kind.pool4, 2, 0, true))?,
            _ => {}
        }
        x = b.container(block, |b| b.block(kind, block, x, channels))?;
    }
    x = b.features(x)?;
    b.module("dropout", x);
    Ok(x)
}

/// The convolution of a unit.
struct Unit {
    /// Output channels in the standard network.
    channels: usize,
    window: usize,
    stride: usize,
}

fn square(channels: usize, window: usize) -> Unit {
    Unit { channels, window, stride: 1 }
}

impl Builder<'_> {
    /// torchvision's `BasicConv2d`: a convolution, its batch norm if it has one, and a relu in place.
    fn unit(&mut self, kind: Kind, name: &str, x: Layer, unit: Unit) -> Result<Layer> {
        let Unit { channels, window, stride } = unit;
        let channels = self.channels_of(&format!("{name}.conv.weight"), scaled(channels, self.width()));
        let conv = Conv { channels, window, stride, groups: 1, bias: !kind.batch_norm };
        let conv = self.conv(&format!("{name}.conv"), x, conv)?;
        let last = if kind.batch_norm { self.batch_norm(&format!("{name}.bn"), conv, BN_EPS)? } else { conv };
        let relu = self.relu(format!("{name}.relu"), last)?;
        self.module(name, relu);
        // The relu overwrites the output of the layer before it.
        self.aliased(&format!("{name}.conv"), conv, if kind.batch_norm { conv } else { relu });
        if kind.batch_norm {
            self.aliased(&format!("{name}.bn"), last, relu);
        }
        Ok(relu)
    }

    fn response_norm(&mut self, kind: Kind, name: &str, x: Layer) -> Result<Layer> {
        if kind.batch_norm {
            return Ok(x);
        }
        let y = self.local_response_norm(name, x, NORM)?;
        self.module(name, y);
        Ok(y)
    }

    /// Four branches side by side: 1x1; 1x1 then 3x3; 1x1 then 5x5 (in torchvision 3x3); a pool then 1x1.
    fn block(&mut self, kind: Kind, block: &str, x: Layer, channels: [usize; 6]) -> Result<Layer> {
        let [one, reduced3, three, reduced5, five, pooled] = channels;
        let at = |branch: &str| format!("{block}.{branch}");
        let branch1 = self.unit(kind, &at("branch1"), x, square(one, 1))?;
        let branch2 = self.container(&at("branch2"), |b| {
            let reduced = b.unit(kind, &at("branch2.0"), x, square(reduced3, 1))?;
            b.unit(kind, &at("branch2.1"), reduced, square(three, 3))
        })?;
        let branch3 = self.container(&at("branch3"), |b| {
            let reduced = b.unit(kind, &at("branch3.0"), x, square(reduced5, 1))?;
            b.unit(kind, &at("branch3.1"), reduced, square(five, kind.five))
        })?;
        let branch4 = self.container(&at("branch4"), |b| {
            let x = b.max_pool(&at("branch4.0"), x, square_pool(3, 1, 1, true))?;
            b.unit(kind, &at("branch4.1"), x, square(pooled, 1))
        })?;
        self.concat(block, &[branch1, branch2, branch3, branch4])
    }
}
