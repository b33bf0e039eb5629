//! The architectures, in one table.

use super::builder::{Builder, Sizes};
use super::definition::Definition;
use super::naming::Head;
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
        /// The same with 101 layers.
        ResNet101 = "resnet101",
        /// The same with 152 layers.
        ResNet152 = "resnet152",
        /// Zagoruyko and Komodakis (2016): ResNet-50 with bottlenecks of twice the width.
        WideResNet50 = "wide_resnet50_2",
        /// ResNet-101 with bottlenecks of twice the width.
        WideResNet101 = "wide_resnet101_2",
        /// Xie et al. (2016): ResNet-50 with 32 groups of 4 channels.
        ResNeXt50 = "resnext50_32x4d",
        /// ResNet-101 with 32 groups of 8 channels.
        ResNeXt101 = "resnext101_32x8d",
        /// ResNet-101 with 64 groups of 4 channels.
        ResNeXt101Groups64 = "resnext101_64x4d",
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

/// CIFAR's images.
const RGB_32: ImageSpec = ImageSpec { channels: 3, height: 32, width: 32 };

impl Architecture {
    /// Those that benchmarks time if none is named: the others have the same kernels in other numbers.
    pub const BENCHED: [Self; 5] = [Self::ResNet18, Self::ResNet34, Self::ResNet50, Self::GoogLeNet, Self::InceptionV1];

    /// The names of those that are recognised by a file's tensors: all but `onnx`.
    pub const OF_TENSORS: &'static [&'static str] = Self::NAMES.split_last().expect("there are names").1;

    /// `None` for an ONNX file, which has its own layers.
    pub(super) fn definition(self) -> Option<&'static Definition> {
        match self {
            Self::ResNet18 => Some(&resnet::RESNET18),
            Self::ResNet34 => Some(&resnet::RESNET34),
            Self::ResNet50 => Some(&resnet::RESNET50),
            Self::ResNet101 => Some(&resnet::RESNET101),
            Self::ResNet152 => Some(&resnet::RESNET152),
            Self::WideResNet50 => Some(&resnet::WIDE_RESNET50),
            Self::WideResNet101 => Some(&resnet::WIDE_RESNET101),
            Self::ResNeXt50 => Some(&resnet::RESNEXT50),
            Self::ResNeXt101 => Some(&resnet::RESNEXT101),
            Self::ResNeXt101Groups64 => Some(&resnet::RESNEXT101_64),
            Self::GoogLeNet => Some(&inception::GOOGLENET),
            Self::InceptionV1 => Some(&inception::INCEPTION_V1),
            Self::Onnx => None,
        }
    }

    /// The name and shape of every tensor in a network for RGB images; none of `onnx`. `width` is the number of channels of its first
    /// convolution.
    pub fn manifest(self, width: usize, classes: usize) -> Vec<(String, Vec<usize>)> {
        let sizes = Sizes { file: None, image: RGB_224, width };
        let head = Head::linear(0, classes);
        self.definition().map_or_else(Vec::new, |definition| Builder::manifest(definition.layers, sizes, &head))
    }

    /// The images of a file's network, if nothing else says their size: with as many channels as its first convolution has, if an image
    /// can have as many, else 3.
    pub(super) fn usual_image(self, weights: &Weights) -> ImageSpec {
        let shape = self.definition().and_then(|definition| weights.shape(definition.first));
        let channels = shape.and_then(|shape| shape.get(1).copied()).filter(|channels| matches!(channels, 1 | 4));
        let channels = channels.unwrap_or(RGB_224.channels);
        if resnet::has_small_stem(weights) {
            return ImageSpec { channels, ..RGB_32 };
        }
        ImageSpec { channels, ..RGB_224 }
    }
}
