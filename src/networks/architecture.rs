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
    }
}

/// The images of a network whose file does not describe them.
pub(super) const RGB_224: ImageSpec = ImageSpec { channels: 3, height: 224, width: 224 };

impl Architecture {
    pub(super) fn definition(self) -> &'static Definition {
        match self {
            Self::ResNet18 => &resnet::RESNET18,
            Self::ResNet34 => &resnet::RESNET34,
            Self::ResNet50 => &resnet::RESNET50,
            Self::GoogLeNet => &inception::GOOGLENET,
            Self::InceptionV1 => &inception::INCEPTION_V1,
        }
    }

    /// The name and shape of every tensor in a network for RGB images. `width` is the number of channels of its first convolution.
    pub fn manifest(self, width: usize, classes: usize) -> Vec<(String, Vec<usize>)> {
        Builder::manifest(self.definition().layers, Sizes { file: None, image: RGB_224, width, classes })
    }

    /// The channels of the images of a file's network: those of its first convolution if an image can have as many, else 3.
    pub(super) fn image_channels(self, weights: &Weights) -> usize {
        let first = weights.shape(self.definition().sized_by[0]).and_then(|shape| shape.get(1)).copied();
        first.filter(|channels| matches!(channels, 1 | 4)).unwrap_or(RGB_224.channels)
    }
}
