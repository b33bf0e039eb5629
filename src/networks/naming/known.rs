//! Networks that are recognised by a tensor's name, so that a message can say what a file is. They run as ONNX models.

use crate::weights::Weights;

/// A name, or the end of one after a dot, and the network that has it.
const NAMES: [(&str, &str); 17] = [
    ("Mixed_5b.branch1x1.conv.weight", "an Inception v3 of torchvision"),
    ("mixed3a_1x1_pre_relu_conv.weight", "Lucid's InceptionV1, whose convolutions are padded as TensorFlow pads"),
    ("features.denseblock1.denselayer1.conv1.weight", "a DenseNet"),
    ("features.3.squeeze.weight", "a SqueezeNet"),
    ("stage2.0.branch1.0.weight", "a ShuffleNet v2"),
    ("features.1.conv.0.0.weight", "a MobileNet v2"),
    ("features.1.block.0.0.weight", "a MobileNet v3 or an EfficientNet"),
    ("blocks.0.0.conv_dw.weight", "a MobileNet or EfficientNet of timm"),
    ("trunk_output.block1.block1-0.proj.0.weight", "a RegNet"),
    ("features.1.0.layer_scale", "a ConvNeXt of torchvision"),
    ("stages.0.blocks.0.conv_dw.weight", "a ConvNeXt of timm"),
    ("conv_proj.weight", "a vision transformer of torchvision"),
    ("patch_embed.proj.weight", "a vision transformer"),
    ("embeddings.patch_embeddings.projection.weight", "a vision transformer of Hugging Face"),
    ("features.28.weight", "a VGG"),
    ("features.0.weight", "an AlexNet or a VGG"),
    ("conv1.0.weight", "a ResNet with a deep stem (ResNet-C or ResNet-D)"),
];

/// The network that a file holds, if it is none of the architectures but a known one.
pub(in super::super) fn foreign(weights: &Weights) -> Option<&'static str> {
    let has = |wanted: &str| {
        let ends = |name: &str| name.strip_suffix(wanted).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
        weights.tensors().any(|(name, ..)| ends(name))
    };
    NAMES.into_iter().find(|(name, _)| has(name)).map(|(_, network)| network)
}
