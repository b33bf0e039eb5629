//! burn on its wgpu backend, with kernel fusion and autotuning. Batch norms are folded into the convolutions.

use burn::module::{Module, Param};
use burn::optim::{AdamConfig, GradientsParams, ModuleOptimizer};
use burn::tensor::activation::relu;
use burn::tensor::grid::affine_grid_2d;
use burn::tensor::module::{adaptive_avg_pool2d, conv2d, linear, max_pool2d};
use burn::tensor::ops::{ConvOptions, GridSampleOptions, MaxPoolOptions};
use burn::tensor::{Device, Int, Tensor, TensorData};
use peers::{Input, Peer, Result, serve};
use safetensors::SafeTensors;

fn main() -> Result<()> {
    serve::<Burn>()
}

struct Burn {
    input: Input,
    device: Device,
    network: ResNet18,
    mean: Tensor<4>,
    std: Tensor<4>,
    classes: Tensor<2, Int>,
    picture: Picture,
    adam: ModuleOptimizer,
    gradient: Option<Tensor<4>>,
    step: usize,
}

/// What is optimised: burn's optimisers take modules.
#[derive(Module, Debug)]
struct Picture {
    pixels: Param<Tensor<4>>,
}

impl Peer for Burn {
    const NETWORKS: &'static [&'static str] = &["resnet18"];

    fn new(input: &Input) -> Result<Self> {
        let device = Device::wgpu(Default::default()).autodiff();
        let bytes = std::fs::read(&input.weights)?;
        let weights = Weights { file: SafeTensors::deserialize(&bytes)?, device: device.clone() };
        let pixels = Tensor::from_data(TensorData::new(input.images.clone(), input.shape), &device);
        let colour = |rgb: [f32; 3]| Tensor::<1>::from_floats(rgb, &device).reshape([1, 3, 1, 1]);
        let classes: Vec<i32> = input.classes.iter().map(|&class| class as i32).collect();
        Ok(Self {
            network: ResNet18::new(&weights)?,
            mean: colour(input.mean),
            std: colour(input.std),
            classes: Tensor::from_data(TensorData::new(classes, [input.shape[0], 1]), &device),
            picture: Picture { pixels: Param::from_tensor(pixels) },
            adam: AdamConfig::new()
                .with_beta_1(input.beta1 as f32)
                .with_beta_2(input.beta2 as f32)
                .with_epsilon(input.eps as f32)
                .init(),
            gradient: None,
            step: 0,
            input: input.clone(),
            device,
        })
    }

    fn device(&self) -> String {
        let compiler = if cfg!(feature = "burn-vulkan") { "SPIR-V" } else { "WGSL" };
        let name = self.device.identity().map_or("unknown adapter".into(), |device| device.name);
        format!("{name}, {compiler}, autotuned")
    }

    fn logits(&mut self) -> Result<Vec<f32>> {
        values(self.network.forward(self.normalize(self.picture.pixels.val().detach())))
    }

    fn advance(&mut self, steps: usize) -> Result<Vec<f32>> {
        let losses: Vec<_> = (0..steps).map(|_| self.one_step()).collect();
        self.device.sync().map_err(|e| format!("{e:?}"))?;
        values(Tensor::cat(losses, 0))
    }

    fn first_gradient(&mut self) -> Result<Vec<f32>> {
        values(self.gradient.take().ok_or("there was no step yet")?)
    }

    fn images(&mut self) -> Result<Vec<f32>> {
        values(self.picture.pixels.val())
    }
}

impl Burn {
    fn one_step(&mut self) -> Tensor<1> {
        let pixels = self.picture.pixels.val();
        // Normalised first, so that the zeros beyond the rim are the mean colour.
        let warped = self.warp(self.normalize(pixels.clone()));
        let logit = self.network.forward(warped).gather(1, self.classes.clone()).flatten::<1>(0, 1);
        let loss = total_variation(pixels.clone()).mul_scalar(self.input.hf_weight) - logit;
        let gradients = loss.clone().sum().backward();
        self.gradient = pixels.grad(&gradients);
        let gradients = GradientsParams::from_grads(gradients, &self.picture);
        self.picture = self.adam.step(self.input.lr, self.picture.clone(), gradients);
        self.step += 1;
        loss.inner()
    }

    fn normalize(&self, images: Tensor<4>) -> Tensor<4> {
        (images - self.mean.clone()) / self.std.clone()
    }

    /// burn's affine grid goes from corner to corner, so the sampling does too.
    fn warp(&self, x: Tensor<4>) -> Tensor<4> {
        let dims = x.dims();
        let centre = (dims[3] - 1) as f32 / 2.0;
        let theta = self
            .input
            .warps(self.step)
            .iter()
            .flat_map(|&[a, b, c, d, e, f]| [a, b, a + b - 1.0 + c / centre, d, e, d + e - 1.0 + f / centre]);
        let theta = TensorData::new(theta.collect::<Vec<f32>>(), [dims[0], 2, 3]);
        let grid = affine_grid_2d(Tensor::from_data(theta, &self.device), dims);
        x.grid_sample_2d(grid, GridSampleOptions::default().with_align_corners(true))
    }
}

/// The sum of absolute differences of neighbours, an image: `[N]`.
fn total_variation(x: Tensor<4>) -> Tensor<1> {
    let [_, _, h, w] = x.dims();
    let across = x.clone().narrow(3, 1, w - 1) - x.clone().narrow(3, 0, w - 1);
    let down = x.clone().narrow(2, 1, h - 1) - x.narrow(2, 0, h - 1);
    let sum = |d: Tensor<4>| d.abs().sum_dims_squeeze::<1, _>(&[1, 2, 3]);
    sum(across) + sum(down)
}

fn values<const D: usize>(tensor: Tensor<D>) -> Result<Vec<f32>> {
    tensor.into_data().try_to_vec().map_err(|e| format!("{e:?}").into())
}

struct Conv {
    weight: Tensor<4>,
    bias: Tensor<1>,
    stride: usize,
    pad: usize,
}

impl Conv {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let options = ConvOptions::new([self.stride; 2], [self.pad; 2], [1, 1], 1);
        conv2d(x, self.weight.clone(), Some(self.bias.clone()), options)
    }
}

struct Block {
    conv1: Conv,
    conv2: Conv,
    downsample: Option<Conv>,
}

impl Block {
    fn forward(&self, x: Tensor<4>) -> Tensor<4> {
        let identity = self.downsample.as_ref().map_or(x.clone(), |conv| conv.forward(x.clone()));
        relu(self.conv2.forward(relu(self.conv1.forward(x))) + identity)
    }
}

struct ResNet18 {
    stem: Conv,
    blocks: Vec<Block>,
    fc_weight: Tensor<2>,
    fc_bias: Tensor<1>,
}

impl ResNet18 {
    fn new(weights: &Weights) -> Result<Self> {
        let mut blocks = Vec::new();
        for (layer, block) in (1..=4).flat_map(|layer| [(layer, 0), (layer, 1)]) {
            let at = format!("layer{layer}.{block}");
            let stride = if layer > 1 && block == 0 { 2 } else { 1 };
            let conv =
                |conv: &str, bn: &str, stride| weights.conv(&format!("{at}.{conv}"), &format!("{at}.{bn}"), stride);
            blocks.push(Block {
                conv1: conv("conv1", "bn1", stride)?,
                conv2: conv("conv2", "bn2", 1)?,
                downsample: (stride == 2).then(|| conv("downsample.0", "downsample.1", 2)).transpose()?,
            });
        }
        Ok(Self {
            stem: weights.conv("conv1", "bn1", 2)?,
            blocks,
            // burn's linear takes [in, out].
            fc_weight: weights.tensor::<2>("fc.weight")?.transpose(),
            fc_bias: weights.tensor("fc.bias")?,
        })
    }

    fn forward(&self, x: Tensor<4>) -> Tensor<2> {
        let pool = MaxPoolOptions { stride: [2, 2], padding: [(1, 1); 2], ..MaxPoolOptions::new([3, 3]) };
        let x = max_pool2d(relu(self.stem.forward(x)), pool);
        let x = self.blocks.iter().fold(x, |x, block| block.forward(x));
        linear(adaptive_avg_pool2d(x, [1, 1]).flatten::<2>(1, 3), self.fc_weight.clone(), Some(self.fc_bias.clone()))
    }
}

struct Weights<'a> {
    file: SafeTensors<'a>,
    device: Device,
}

impl Weights<'_> {
    fn tensor<const D: usize>(&self, name: &str) -> Result<Tensor<D>> {
        let view = self.file.tensor(name)?;
        let (chunks, _) = view.data().as_chunks();
        let values: Vec<f32> = chunks.iter().map(|chunk| f32::from_le_bytes(*chunk)).collect();
        Ok(Tensor::from_data(TensorData::new(values, view.shape()), &self.device))
    }

    /// A convolution with the batch norm after it folded in.
    fn conv(&self, conv: &str, bn: &str, stride: usize) -> Result<Conv> {
        let weight = self.tensor::<4>(&format!("{conv}.weight"))?;
        let part = |part: &str| self.tensor::<1>(&format!("{bn}.{part}"));
        let [o, _, k, _] = weight.dims();
        let scale = part("weight")? / (part("running_var")? + 1e-5).sqrt();
        let bias = part("bias")? - part("running_mean")? * scale.clone();
        Ok(Conv { weight: weight * scale.reshape([o, 1, 1, 1]), bias, stride, pad: k / 2 })
    }
}
