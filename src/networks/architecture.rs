//! The architectures, in one table.

use super::builder::{Builder, Sizes};
use super::definition::Definition;
use super::{inception, resnet};
use crate::named::named;
use crate::shape::ImageSpec;
use crate::weights::Weights;

named! {
    /// A network's architecture, by torchvision's name where it has one.
    Architecture {
        /// He et al. (2015), 18 layers, of any width and number of classes.
        ResNet18 = "resnet18",
        /// The same with 34 layers.
        ResNet34 = "resnet34",
        /// The same with 50 layers in bottlenecks, which stride in their 3x3 convolution, as torchvision's V1.5.
        ResNet50 = "resnet50",
        /// Szegedy et al. (2014) as torchvision builds it: batch norms, 3x3 windows where the paper has 5x5.
        GoogLeNet = "googlenet",
        /// Szegedy et al. (2014) as BVLC released it: biases, local response norms, 5x5 windows.
        InceptionV1 = "inception_v1",
        /// None of these: the graph of an ONNX file.
        Onnx = "onnx",
    }
}

/// The images of a network whose file does not describe them.
pub(super) const RGB_224: ImageSpec = ImageSpec { channels: 3, height: 224, width: 224 };

impl Architecture {
    /// The names of those that are recognised by a file's tensors: all but `onnx`.
    pub const OF_TENSORS: &'static [&'static str] = Self::NAMES.split_last().expect("there are names").1;

    /// `None` for an ONNX file, which has its own layers.
    pub(super) fn definition(self) -> Option<&'static Definition> {
        match self {
            Self::ResNet18 => Some(&resnet::RESNET18),
            Self::ResNet34 => Some(&resnet::RESNET34),
            Self::ResNet50 => Some(&resnet::RESNET50),
            Self::GoogLeNet => Some(&inception::GOOGLENET),
            Self::InceptionV1 => Some(&inception::INCEPTION_V1),
            Self::Onnx => None,
        }
    }

    /// The name and shape of every tensor in a network for RGB images; none of `onnx`. `width` is the number of channels of its first
    /// convolution.
    pub fn manifest(self, width: usize, classes: usize) -> Vec<(String, Vec<usize>)> {
        let sizes = Sizes { file: None, image: RGB_224, width, classes };
        self.definition().map_or_else(Vec::new, |definition| Builder::manifest(definition.layers, sizes))
    }

    /// The channels of the images of a file's network: those of its first convolution if an image can have as many, else 3.
    pub(super) fn image_channels(self, weights: &Weights) -> usize {
        let first = self.definition().and_then(|definition| weights.shape(definition.sized_by[0])?.get(1).copied());
        first.filter(|channels| matches!(channels, 1 | 4)).unwrap_or(RGB_224.channels)
    }
}
