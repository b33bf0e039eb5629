//! ResNet (He et al., 2015) as torchvision builds it, of any width and number of classes.

use super::builder::{Builder, Conv, Layer, square_pool};
use super::definition::Definition;
use super::preprocessing::Preprocessing;
use crate::error::Result;
use crate::weights::Weights;

pub(super) const RESNET18: Definition = resnet(|b, x| layers(b, x, BASIC, [2, 2, 2, 2]));
pub(super) const RESNET34: Definition = resnet(|b, x| layers(b, x, BASIC, [3, 4, 6, 3]));
pub(super) const RESNET50: Definition = resnet(|b, x| layers(b, x, BOTTLENECK, [3, 4, 6, 3]));
pub(super) const RESNET101: Definition = resnet(|b, x| layers(b, x, BOTTLENECK, [3, 4, 23, 3]));
pub(super) const RESNET152: Definition = resnet(|b, x| layers(b, x, BOTTLENECK, [3, 8, 36, 3]));
pub(super) const WIDE_RESNET50: Definition = resnet(|b, x| layers(b, x, bottleneck(2, 1), [3, 4, 6, 3]));
pub(super) const WIDE_RESNET101: Definition = resnet(|b, x| layers(b, x, bottleneck(2, 1), [3, 4, 23, 3]));
pub(super) const RESNEXT50: Definition = resnet(|b, x| layers(b, x, bottleneck(2, 32), [3, 4, 6, 3]));
pub(super) const RESNEXT101: Definition = resnet(|b, x| layers(b, x, bottleneck(4, 32), [3, 4, 23, 3]));
pub(super) const RESNEXT101_64: Definition = resnet(|b, x| layers(b, x, bottleneck(4, 64), [3, 4, 23, 3]));

/// A kind of block.
#[derive(Clone, Copy)]
enum Block {
    /// Two 3x3 convolutions.
    Basic,
    /// 1x1, 3x3 with so many groups, 1x1. The first two have `widening` times the channels of the stage.
    Bottleneck { widening: usize, groups: usize },
}

const BASIC: Block = Block::Basic;
const BOTTLENECK: Block = bottleneck(1, 1);

const fn bottleneck(widening: usize, groups: usize) -> Block {
    Block::Bottleneck { widening, groups }
}

const FIRST: &str = "conv1.weight";

const fn resnet(layers: fn(&mut Builder<'_>, Layer) -> Result<Layer>) -> Definition {
    Definition { layers, preprocessing: Preprocessing::imagenet, first: FIRST, ignored_heads: &[] }
}

/// Batch norm's eps in torchvision's ResNets.
const BN_EPS: f64 = 1e-5;

/// Output channels of a bottleneck for each channel of its stage.
const EXPANSION: usize = 4;

/// Whether a file has the stem of networks for CIFAR: a 3x3 convolution without stride, and no pool.
pub(super) fn has_small_stem(weights: &Weights) -> bool {
    matches!(weights.shape(FIRST), Some([_, _, 3, 3]))
}

/// The stem, four stages with `counts` blocks, and the pool over all positions.
fn layers(b: &mut Builder<'_>, x: Layer, block: Block, counts: [usize; 4]) -> Result<Layer> {
    let small = b.file().is_some_and(has_small_stem);
    let [window, stride] = if small { [3, 1] } else { [7, 2] };
    let conv1 = b.unbiased_conv("conv1", x, b.width(), window, stride)?;
    let bn1 = b.batch_norm("bn1", conv1, BN_EPS)?;
    let relu = b.relu("relu", bn1)?;
    b.module("conv1", conv1);
    // The relu works in place.
    b.aliased("bn1", bn1, relu);
    b.module("relu", relu);
    let mut x = if small { relu } else { b.max_pool("maxpool", relu, square_pool(3, 2, 1, false))? };
    for (stage, count) in counts.into_iter().enumerate() {
        let (name, planes) = (format!("layer{}", stage + 1), b.width() << stage);
        x = b.container(&name, |b| {
            (0..count).try_fold(x, |x, i| {
                let stride = if stage > 0 && i == 0 { 2 } else { 1 };
                let at = format!("{name}.{i}");
                match block {
                    Block::Basic => b.basic_block(&at, x, planes, stride),
                    Block::Bottleneck { widening, groups } => {
                        b.bottleneck(&at, x, planes, Middle { channels: planes * widening, groups }, stride)
                    }
                }
            })
        })?;
    }
    b.features(x)
}

/// The 3x3 convolution of a bottleneck.
#[derive(Clone, Copy)]
struct Middle {
    channels: usize,
    groups: usize,
}

impl Builder<'_> {
    fn unbiased_conv(&mut self, name: &str, x: Layer, channels: usize, window: usize, stride: usize) -> Result<Layer> {
        self.conv(name, x, Conv { channels, window, stride, groups: 1, bias: false })
    }

    /// `relu(bn2(conv2(relu(bn1(conv1(x))))) + x)`, with x through `downsample` where its shape changes.
    fn basic_block(&mut self, at: &str, x: Layer, planes: usize, stride: usize) -> Result<Layer> {
        let conv1 = self.unbiased_conv(&format!("{at}.conv1"), x, planes, 3, stride)?;
        let bn1 = self.batch_norm(&format!("{at}.bn1"), conv1, BN_EPS)?;
        let relu1 = self.relu(format!("{at}.relu (first call)"), bn1)?;
        let conv2 = self.unbiased_conv(&format!("{at}.conv2"), relu1, planes, 3, 1)?;
        let bn2 = self.batch_norm(&format!("{at}.bn2"), conv2, BN_EPS)?;
        let downsampled = self.downsample(at, x, planes, stride)?;
        let out = self.residual(at, bn2, downsampled.map_or(x, |[_, identity]| identity))?;
        // In place: bn1's output becomes the first relu's, bn2's the block's.
        self.module(at, out);
        self.module(&format!("{at}.conv1"), conv1);
        self.aliased(&format!("{at}.bn1"), bn1, relu1);
        self.module(&format!("{at}.relu"), out);
        self.module(&format!("{at}.conv2"), conv2);
        self.aliased(&format!("{at}.bn2"), bn2, out);
        self.downsample_modules(at, downsampled);
        Ok(out)
    }

    /// `relu(bn3(conv3(relu(bn2(conv2(relu(bn1(conv1(x)))))))) + x)`: 1x1, 3x3 with the stride, and 1x1 to four times `planes`.
    fn bottleneck(&mut self, at: &str, x: Layer, planes: usize, middle: Middle, stride: usize) -> Result<Layer> {
        let Middle { channels, groups } = middle;
        let conv1 = self.unbiased_conv(&format!("{at}.conv1"), x, channels, 1, 1)?;
        let bn1 = self.batch_norm(&format!("{at}.bn1"), conv1, BN_EPS)?;
        let relu1 = self.relu(format!("{at}.relu (first call)"), bn1)?;
        let conv = Conv { channels, window: 3, stride, groups, bias: false };
        let conv2 = self.conv(&format!("{at}.conv2"), relu1, conv)?;
        let bn2 = self.batch_norm(&format!("{at}.bn2"), conv2, BN_EPS)?;
        let relu2 = self.relu(format!("{at}.relu (second call)"), bn2)?;
        let conv3 = self.unbiased_conv(&format!("{at}.conv3"), relu2, EXPANSION * planes, 1, 1)?;
        let bn3 = self.batch_norm(&format!("{at}.bn3"), conv3, BN_EPS)?;
        let downsampled = self.downsample(at, x, EXPANSION * planes, stride)?;
        let out = self.residual(at, bn3, downsampled.map_or(x, |[_, identity]| identity))?;
        self.module(at, out);
        // In place, as in a basic block.
        for (i, conv, norm, alias) in [(1, conv1, bn1, relu1), (2, conv2, bn2, relu2), (3, conv3, bn3, out)] {
            self.module(&format!("{at}.conv{i}"), conv);
            self.aliased(&format!("{at}.bn{i}"), norm, alias);
        }
        self.module(&format!("{at}.relu"), out);
        self.downsample_modules(at, downsampled);
        Ok(out)
    }

    /// A 1x1 convolution and its batch norm, where a block changes the shape of its input.
    fn downsample(&mut self, at: &str, x: Layer, channels: usize, stride: usize) -> Result<Option<[Layer; 2]>> {
        if stride == 1 && x.channels() == channels {
            return Ok(None);
        }
        let conv = self.unbiased_conv(&format!("{at}.downsample.0"), x, channels, 1, stride)?;
        Ok(Some([conv, self.batch_norm(&format!("{at}.downsample.1"), conv, BN_EPS)?]))
    }

    fn downsample_modules(&mut self, at: &str, downsampled: Option<[Layer; 2]>) {
        if let Some([conv, norm]) = downsampled {
            self.module(&format!("{at}.downsample"), norm);
            self.module(&format!("{at}.downsample.0"), conv);
            self.module(&format!("{at}.downsample.1"), norm);
        }
    }

    fn residual(&mut self, at: &str, x: Layer, identity: Layer) -> Result<Layer> {
        let sum = self.add(format!("{at}.add"), x, identity)?;
        self.relu(format!("{at}.relu"), sum)
    }
}
