//! candle on the CPU. Batch norms are folded into the convolutions with `absorb_bn`, as candle offers for inference.

use candle_core::{CpuStorage, CustomOp1, D, Device, IndexOp, Layout, Module, Shape, Storage, Tensor, Var, bail};
use candle_nn::{AdamW, Optimizer, ParamsAdamW, batch_norm, conv2d_no_bias, linear};
use candle_nn::{BatchNormConfig, Conv2d, Conv2dConfig, Linear, VarBuilder};
use peers::{Input, Peer, Result, serve};

fn main() -> Result<()> {
    serve::<Candle>()
}

struct Candle {
    input: Input,
    network: ResNet18,
    mean: Tensor,
    std: Tensor,
    classes: Tensor,
    images: Var,
    adam: AdamW,
    gradient: Option<Tensor>,
    step: usize,
}

impl Peer for Candle {
    const NETWORKS: &'static [&'static str] = &["resnet18"];

    fn new(input: &Input) -> Result<Self> {
        let device = &Device::Cpu;
        let dtype = candle_core::DType::F32;
        let weights = VarBuilder::from_buffered_safetensors(std::fs::read(&input.weights)?, dtype, device)?;
        let images = Var::from_slice(&input.images, &input.shape, device)?;
        let (lr, beta1, beta2, eps) = (input.lr, input.beta1, input.beta2, input.eps);
        // Without weight decay, AdamW is Adam.
        let adam = ParamsAdamW { lr, beta1, beta2, eps, weight_decay: 0.0 };
        Ok(Self {
            network: ResNet18::new(weights)?,
            mean: Tensor::from_slice(&input.mean, (1, 3, 1, 1), device)?,
            std: Tensor::from_slice(&input.std, (1, 3, 1, 1), device)?,
            classes: Tensor::from_slice(&input.classes, (input.classes.len(), 1), device)?,
            adam: AdamW::new(vec![images.clone()], adam)?,
            images,
            gradient: None,
            step: 0,
            input: input.clone(),
        })
    }

    fn device(&self) -> String {
        format!("CPU, {} threads", candle_core::utils::get_num_threads())
    }

    fn logits(&mut self) -> Result<Vec<f32>> {
        let logits = self.network.forward(&self.normalize(&self.images.detach())?)?;
        Ok(logits.flatten_all()?.to_vec1()?)
    }

    fn advance(&mut self, steps: usize) -> Result<Vec<f32>> {
        let losses = (0..steps).map(|_| self.one_step()).collect::<candle_core::Result<Vec<_>>>()?;
        Ok(Tensor::cat(&losses, 0)?.to_vec1()?)
    }

    fn first_gradient(&mut self) -> Result<Vec<f32>> {
        let gradient = self.gradient.take().ok_or("there was no step yet")?;
        Ok(gradient.flatten_all()?.to_vec1()?)
    }

    fn images(&mut self) -> Result<Vec<f32>> {
        Ok(self.images.flatten_all()?.to_vec1()?)
    }
}

impl Candle {
    fn one_step(&mut self) -> candle_core::Result<Tensor> {
        // Normalised first, so that the zeros beyond the rim are the mean colour.
        let warped = warp(&self.normalize(&self.images)?, self.input.warps(self.step))?;
        let logits = self.network.forward(&warped)?.gather(&self.classes, 1)?.squeeze(1)?;
        let loss = ((total_variation(&self.images)? * self.input.hf_weight)? - logits)?;
        let gradients = loss.sum_all()?.backward()?;
        self.gradient = gradients.get(&self.images).cloned();
        self.adam.step(&gradients)?;
        self.step += 1;
        Ok(loss.detach())
    }

    fn normalize(&self, images: &Tensor) -> candle_core::Result<Tensor> {
        images.broadcast_sub(&self.mean)?.broadcast_div(&self.std)
    }
}

/// The sum of absolute differences of neighbours, an image: `[N]`.
fn total_variation(x: &Tensor) -> candle_core::Result<Tensor> {
    let (_, _, h, w) = x.dims4()?;
    let across = (x.narrow(3, 1, w - 1)? - x.narrow(3, 0, w - 1)?)?;
    let down = (x.narrow(2, 1, h - 1)? - x.narrow(2, 0, h - 1)?)?;
    across.abs()?.sum((1, 2, 3))? + down.abs()?.sum((1, 2, 3))?
}

/// Bilinear, zeros beyond the rim. candle has no grid sampling: the four taps are found here, and gathered by it.
fn warp(x: &Tensor, theta: &[[f32; 6]]) -> candle_core::Result<Tensor> {
    let (_, c, h, w) = x.dims4()?;
    let images = theta.iter().enumerate().map(|(i, theta)| {
        let (indices, weights) = taps(theta, h, w);
        let indices = Tensor::from_vec(indices, 4 * h * w, x.device())?;
        let weights = Tensor::from_vec(weights, (1, 4, h * w), x.device())?;
        let sampled = x.i(i)?.flatten_from(1)?.index_select(&indices, 1)?.reshape((c, 4, h * w))?;
        sampled.broadcast_mul(&weights)?.sum(1)?.reshape((c, h, w))
    });
    Tensor::stack(&images.collect::<candle_core::Result<Vec<_>>>()?, 0)
}

/// For each of the four taps all output pixels: the input pixel, and its weight, which is zero beyond the rim.
fn taps(t: &[f32; 6], h: usize, w: usize) -> (Vec<u32>, Vec<f32>) {
    let (mut indices, mut weights) = (Vec::with_capacity(4 * h * w), Vec::with_capacity(4 * h * w));
    for (dy, dx) in [(0, 0), (0, 1), (1, 0), (1, 1)] {
        for (oy, ox) in (0..h).flat_map(|oy| (0..w).map(move |ox| (oy as f32, ox as f32))) {
            let (px, py) = (t[0] * ox + t[1] * oy + t[2], t[3] * ox + t[4] * oy + t[5]);
            let (x, y) = (px.floor() as i64 + dx, py.floor() as i64 + dy);
            let inside = (0..w as i64).contains(&x) && (0..h as i64).contains(&y);
            let weight = (1.0 - (px - x as f32).abs()) * (1.0 - (py - y as f32).abs());
            indices.push(if inside { y as u32 * w as u32 + x as u32 } else { 0 });
            weights.push(if inside { weight } else { 0.0 });
        }
    }
    (indices, weights)
}

struct ResNet18 {
    stem: Conv,
    blocks: Vec<Block>,
    fc: Linear,
}

struct Block {
    conv1: Conv,
    conv2: Conv,
    downsample: Option<Conv>,
}

impl ResNet18 {
    fn new(vb: VarBuilder) -> candle_core::Result<Self> {
        let stem = conv_bn([3, 64, 7, 2], vb.pp("conv1"), vb.pp("bn1"))?;
        let mut blocks = Vec::new();
        let mut channels = 64;
        for layer in 1..=4 {
            for block in 0..2 {
                let (planes, vb) = (32 << layer, vb.pp(format!("layer{layer}.{block}")));
                let stride = if planes == channels { 1 } else { 2 };
                let downsample = vb.pp("downsample");
                blocks.push(Block {
                    conv1: conv_bn([channels, planes, 3, stride], vb.pp("conv1"), vb.pp("bn1"))?,
                    conv2: conv_bn([planes, planes, 3, 1], vb.pp("conv2"), vb.pp("bn2"))?,
                    downsample: (stride == 2)
                        .then(|| conv_bn([channels, planes, 1, 2], downsample.pp("0"), downsample.pp("1")))
                        .transpose()?,
                });
                channels = planes;
            }
        }
        Ok(Self { stem, blocks, fc: linear(channels, 1000, vb.pp("fc"))? })
    }

    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let stem = self.stem.forward(x)?.relu()?;
        let x = self.blocks.iter().try_fold(max_pool(&stem)?, |x, block| block.forward(&x))?;
        self.fc.forward(&x.mean((D::Minus2, D::Minus1))?)
    }
}

impl Block {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let identity = self.downsample.as_ref().map_or(Ok(x.clone()), |conv| conv.forward(x))?;
        let y = self.conv1.forward(x)?.relu()?;
        (self.conv2.forward(&y)? + identity)?.relu()
    }
}

/// A convolution with constant weights.
#[derive(Clone)]
struct Conv {
    conv: Conv2d,
    /// The gradient to the input as another convolution, where the stride is 1: that is much faster than candle's transposed one.
    adjoint: Option<Conv2d>,
}

fn conv_bn([i, o, k, stride]: [usize; 4], conv: VarBuilder, bn: VarBuilder) -> candle_core::Result<Conv> {
    let config = Conv2dConfig { padding: k / 2, stride, ..Default::default() };
    let conv = conv2d_no_bias(i, o, k, config, conv)?.absorb_bn(&batch_norm(o, BatchNormConfig::default(), bn)?)?;
    let flipped = || conv.weight().flip(&[2, 3])?.transpose(0, 1)?.contiguous();
    let adjoint = (stride == 1).then(flipped).transpose()?.map(|weight| Conv2d::new(weight, None, config));
    Ok(Conv { conv, adjoint })
}

impl Conv {
    fn forward(&self, x: &Tensor) -> candle_core::Result<Tensor> {
        let y = self.conv.forward(&x.detach())?;
        x.apply_op1(Frozen { conv: self.clone(), y })
    }
}

/// candle's own backward of a convolution always computes the gradient to the weights too; this op has the one to the
/// input alone.
struct Frozen {
    conv: Conv,
    y: Tensor,
}

impl CustomOp1 for Frozen {
    fn name(&self) -> &'static str {
        "convolution with constant weights"
    }

    fn cpu_fwd(&self, _: &CpuStorage, _: &Layout) -> candle_core::Result<(CpuStorage, Shape)> {
        match &*self.y.storage_and_layout().0 {
            Storage::Cpu(storage) => Ok((storage.clone(), self.y.shape().clone())),
            _ => bail!("this peer runs on the CPU alone"),
        }
    }

    fn bwd(&self, x: &Tensor, _: &Tensor, dy: &Tensor) -> candle_core::Result<Option<Tensor>> {
        if let Some(adjoint) = &self.conv.adjoint {
            return adjoint.forward(dy).map(Some);
        }
        let (weight, config) = (self.conv.conv.weight(), self.conv.conv.config());
        let covered = (dy.dim(2)? - 1) * config.stride + weight.dim(2)? - 2 * config.padding;
        let rest = x.dim(2)? - covered;
        dy.conv_transpose2d(weight, config.padding, rest, config.stride, 1).map(Some)
    }
}

/// 3x3, stride 2, padding 1. candle's max pooling has no padding, and no gradient where windows overlap: so the maximum of
/// every second row or column and its two neighbours, one direction after the other. After a ReLU, zeros pad.
fn max_pool(x: &Tensor) -> candle_core::Result<Tensor> {
    [2, 3].iter().try_fold(x.clone(), |x, &dim| {
        let padded = x.pad_with_zeros(dim, 1, 1)?;
        let out = x.dim(dim)?.div_ceil(2);
        let every_second = |start: u32| {
            let indices = Tensor::arange_step(start, start + 2 * out as u32, 2, x.device())?;
            padded.index_select(&indices, dim)
        };
        every_second(0)?.maximum(&every_second(1)?)?.maximum(&every_second(2)?)
    })
}
