//! Builds a network layer by layer. The same calls describe and build: without weights they collect the name and shape of
//! every tensor, with weights they read those tensors and make the graph.

use std::sync::Arc;

use super::modules::{Module, Norm};
use super::naming::{Head, HeadLayer};
use super::preprocessing::Preprocessing;
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId};
use crate::ops::{
    Add, ChannelAffine, Concat, Conv2d, GlobalAvgPool2d, Linear, LocalResponseNorm, MaxPool2d, Op, Reduce, Reduction,
    Relu, ScaleShift,
};
use crate::shape::ImageSpec;
use crate::weights::Weights;

/// The node that turns pixels into the first layer's input.
pub(super) const NORMALIZE: &str = "normalize";

/// More channels or classes than any network has; keeps arithmetic on a hostile file's shapes small.
const MOST: usize = 1 << 20;

/// The first extent of a tensor, or 0; limited, so that sums do not overflow.
pub(super) fn extent(weights: &Weights, name: &str) -> usize {
    weights.shape(name).and_then(|shape| shape.first()).copied().unwrap_or(0).min(MOST)
}

/// The sizes of the layers.
#[derive(Clone, Copy)]
pub(super) struct Sizes<'a> {
    /// The file whose tensors determine the channels of some layers.
    pub(super) file: Option<&'a Weights>,
    /// The network's input.
    pub(super) image: ImageSpec,
    /// Channels of the first convolution.
    pub(super) width: usize,
}

/// The output of a layer.
#[derive(Clone, Copy)]
pub(super) struct Layer {
    node: NodeId,
    channels: usize,
}

impl Layer {
    pub(super) fn channels(self) -> usize {
        self.channels
    }
}

/// The layers of an architecture, from normalised pixels to the input of the head.
pub(super) type Layers = fn(&mut Builder<'_>, Layer) -> Result<Layer>;

/// A convolution with a square window, padded by half of it on each side.
#[derive(Clone, Copy)]
pub(super) struct Conv {
    /// Output channels.
    pub(super) channels: usize,
    pub(super) window: usize,
    pub(super) stride: usize,
    pub(super) groups: usize,
    pub(super) bias: bool,
}

/// What building with weights gives.
pub(super) struct Built {
    pub(super) graph: Graph,
    pub(super) modules: Vec<Module>,
    pub(super) norms: Vec<Norm>,
    /// What was left out or assumed, a sentence each.
    pub(super) notes: Vec<String>,
}

impl Built {
    /// Channels of the graph's output.
    pub(super) fn outputs(&self) -> usize {
        self.graph.node(self.graph.output()).shape.c()
    }

    /// Makes two logits of one, z: −z/2 and z/2. Their softmax is `[1 − sigmoid(z), sigmoid(z)]`, and both have a gradient.
    pub(super) fn give_two_sides(&mut self) -> Result<()> {
        let sides = Linear { w: [-0.5, 0.5].into(), b: [0.0; 2].into() };
        let sides = self.graph.push("no and yes", sides, &[self.graph.output()])?;
        (self.modules[0].snapshot, self.modules[0].alias) = (sides, sides);
        Ok(())
    }
}

/// The weights to build from, and the graph so far.
struct Building<'a> {
    weights: &'a Weights,
    graph: Graph,
}

pub(super) struct Builder<'a> {
    sizes: Sizes<'a>,
    head: &'a Head,
    manifest: Vec<(String, Vec<usize>)>,
    /// `None` to collect only the manifest.
    building: Option<Building<'a>>,
    modules: Vec<Module>,
    norms: Vec<Norm>,
}

impl<'a> Builder<'a> {
    /// The name and shape of every tensor.
    pub(super) fn manifest(layers: Layers, sizes: Sizes<'a>, head: &'a Head) -> Vec<(String, Vec<usize>)> {
        let mut b = Self::new(sizes, head, None);
        let unused = ChannelAffine::new([], []);
        b.network(layers, unused).expect("without weights nothing can fail");
        b.manifest
    }

    /// The graph and its modules.
    ///
    /// # Errors
    /// If a tensor is missing or has another shape than the layers need, or holds values that make no network.
    pub(super) fn build(
        layers: Layers,
        sizes: Sizes<'a>,
        head: &'a Head,
        weights: &'a Weights,
        preprocessing: &Preprocessing,
    ) -> Result<Built> {
        let mut b = Self::new(sizes, head, Some(Building { weights, graph: Graph::new(sizes.image.batch(1)) }));
        b.network(layers, preprocessing.normalize())?;
        let Building { graph, .. } = b.building.expect("it was there when the layers were built");
        Ok(Built { graph, modules: b.modules, norms: b.norms, notes: Vec::new() })
    }

    fn new(sizes: Sizes<'a>, head: &'a Head, building: Option<Building<'a>>) -> Self {
        Self { sizes, head, manifest: Vec::new(), building, modules: Vec::new(), norms: Vec::new() }
    }

    /// From pixels to logits. The root module comes first and shows the logits.
    fn network(&mut self, layers: Layers, normalize: ChannelAffine) -> Result<()> {
        let pixels = Layer { node: NodeId(0), channels: self.sizes.image.channels };
        let x = self.push(NORMALIZE, pixels.channels, ScaleShift(normalize), &[pixels])?;
        self.module("root", x);
        let x = layers(self, x)?;
        let logits = self.logits(x)?;
        (self.modules[0].snapshot, self.modules[0].alias) = (logits.node, logits.node);
        Ok(())
    }

    /// The layers of the head, as the module `fc` if there are any.
    fn logits(&mut self, x: Layer) -> Result<Layer> {
        let layers = &self.head.layers;
        if layers.is_empty() {
            return Ok(x);
        }
        self.container("fc", |b| {
            layers.iter().try_fold(x, |x, layer| {
                let (name, y) = match layer {
                    HeadLayer::Linear { name, outputs, bias } => (name, b.linear(name, x, *outputs, *bias)?),
                    HeadLayer::BatchNorm(name) => (name, b.norm_of_features(name, x)?),
                    HeadLayer::Relu(name) => (name, b.relu(name, x)?),
                    HeadLayer::Dropout(name) => (name, x),
                };
                if name != "fc" {
                    b.module(name, y);
                }
                Ok(y)
            })
        })
    }

    /// The file whose tensors determine some layers.
    pub(super) fn file(&self) -> Option<&'a Weights> {
        self.sizes.file
    }

    /// Channels of the first convolution.
    pub(super) fn width(&self) -> usize {
        self.sizes.width
    }

    /// How many output channels the file's tensor of this name has; `otherwise` if there is no file or no such tensor.
    pub(super) fn channels_of(&self, weight: &str, otherwise: usize) -> usize {
        match self.sizes.file.map_or(0, |file| extent(file, weight)) {
            0 => otherwise,
            channels => channels,
        }
    }

    /// Adds a tensor to the manifest, and reads its values; without weights, there are none.
    fn tensor(&mut self, name: String, shape: &[usize]) -> Result<Vec<f32>> {
        let values = match &self.building {
            None => Vec::new(),
            Some(Building { weights, .. }) => {
                if let Some(found) = weights.shape(&name).filter(|&found| found != shape) {
                    let file = weights.name();
                    return Err(Error::input(format!("{file}: `{name}` is {found:?} but should be {shape:?}")));
                }
                weights.tensor_f32(&name)?
            }
        };
        self.manifest.push((name, shape.to_vec()));
        Ok(values)
    }

    fn push(
        &mut self,
        name: impl Into<String>,
        channels: usize,
        op: impl Op + 'static,
        inputs: &[Layer],
    ) -> Result<Layer> {
        let node = match &mut self.building {
            None => NodeId(0),
            Some(Building { graph, .. }) => {
                let inputs: Vec<NodeId> = inputs.iter().map(|input| input.node).collect();
                graph.push(name, op, &inputs)?
            }
        };
        Ok(Layer { node, channels })
    }

    pub(super) fn conv(&mut self, name: &str, x: Layer, conv: Conv) -> Result<Layer> {
        let Conv { channels, window, stride, groups, bias } = conv;
        let w_shape = [channels, x.channels / groups, window, window];
        let w = self.tensor(format!("{name}.weight"), &w_shape)?;
        let b = if bias { Some(self.tensor(format!("{name}.bias"), &[channels])?.into()) } else { None };
        let conv = Conv2d { groups, ..Conv2d::new(w, w_shape, b, [stride; 2], [window / 2; 4]) };
        self.push(name, channels, conv, &[x])
    }

    pub(super) fn batch_norm(&mut self, name: &str, x: Layer, eps: f64) -> Result<Layer> {
        let (y, norm) = self.norm(name, x, eps)?;
        self.norms.extend(norm);
        Ok(y)
    }

    /// `BatchNorm1d` with PyTorch's eps. It is none of [`super::Network::norms`], which are those of images.
    fn norm_of_features(&mut self, name: &str, x: Layer) -> Result<Layer> {
        Ok(self.norm(name, x, 1e-5)?.0)
    }

    fn norm(&mut self, name: &str, x: Layer, eps: f64) -> Result<(Layer, Option<Norm>)> {
        let mut part = |part: &str| self.tensor(format!("{name}.{part}"), &[x.channels]);
        let (weight, bias, mean, var) = (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
        if let Some(i) = var.iter().position(|&v| v < 0.0) {
            let value = var[i];
            return Err(Error::input(format!(
                "`{name}.running_var` is {value} at {i}, but a variance cannot be negative"
            )));
        }
        let affine = ChannelAffine::batch_norm(&weight, &bias, &mean, &var, eps);
        let scale = Arc::clone(&affine.scale);
        let y = self.push(name, x.channels, ScaleShift(affine), &[x])?;
        let [shift, mean, variance] = [bias, mean, var].map(Arc::from);
        let norm = Norm { name: name.to_owned(), node: y.node, scale, shift, mean, variance };
        Ok((y, self.building.is_some().then_some(norm)))
    }

    pub(super) fn relu(&mut self, name: impl Into<String>, x: Layer) -> Result<Layer> {
        self.push(name, x.channels, Relu, &[x])
    }

    /// A max pool with a square window, as a module.
    pub(super) fn max_pool(&mut self, name: &str, x: Layer, pool: MaxPool2d) -> Result<Layer> {
        let y = self.push(name, x.channels, pool, &[x])?;
        self.module(name, y);
        Ok(y)
    }

    pub(super) fn local_response_norm(&mut self, name: &str, x: Layer, norm: LocalResponseNorm) -> Result<Layer> {
        self.push(name, x.channels, norm, &[x])
    }

    /// The features: the mean over all positions. If the head takes twice as many, the maximum comes before it, as in fastai's
    /// `AdaptiveConcatPool2d`.
    pub(super) fn features(&mut self, x: Layer) -> Result<Layer> {
        let mean = self.push("avgpool", x.channels, GlobalAvgPool2d, &[x])?;
        if x.channels.checked_mul(2) != Some(self.head.inputs) {
            self.module("avgpool", mean);
            return Ok(mean);
        }
        let largest = Reduce { reduction: Reduction::Max, axes: vec![2, 3], keepdim: true };
        let largest = self.push("maxpool over positions", x.channels, largest, &[x])?;
        let both = self.concat("concat of pools", &[largest, mean])?;
        self.module("avgpool", both);
        Ok(both)
    }

    pub(super) fn add(&mut self, name: impl Into<String>, a: Layer, b: Layer) -> Result<Layer> {
        self.push(name, a.channels, Add, &[a, b])
    }

    /// All inputs one after the other along the channels.
    pub(super) fn concat(&mut self, name: &str, inputs: &[Layer]) -> Result<Layer> {
        self.push(name, inputs.iter().map(|x| x.channels).sum(), Concat, inputs)
    }

    /// A fully connected layer over `[N,C,1,1]`.
    fn linear(&mut self, name: &str, x: Layer, outputs: usize, bias: bool) -> Result<Layer> {
        let w = self.tensor(format!("{name}.weight"), &[outputs, x.channels])?.into();
        let b = if bias { self.tensor(format!("{name}.bias"), &[outputs])? } else { vec![0.0; outputs] };
        let b = b.into();
        self.push(name, outputs, Linear { w, b }, &[x])
    }

    /// A module that shows a layer under both semantics.
    pub(super) fn module(&mut self, name: &str, shown: Layer) {
        self.aliased(name, shown, shown);
    }

    /// A module whose output is later overwritten in place: a copy shows `snapshot`, a reference `alias`.
    pub(super) fn aliased(&mut self, name: &str, snapshot: Layer, alias: Layer) {
        self.modules.push(Module { name: name.to_owned(), snapshot: snapshot.node, alias: alias.node });
    }

    /// A module that contains others: it shows the output of `inside`, and comes before the modules that `inside` adds.
    pub(super) fn container(&mut self, name: &str, inside: impl FnOnce(&mut Self) -> Result<Layer>) -> Result<Layer> {
        let at = self.modules.len();
        let y = inside(self)?;
        self.modules.insert(at, Module { name: name.to_owned(), snapshot: y.node, alias: y.node });
        Ok(y)
    }
}

/// A max pool with square window, stride and padding.
pub(super) fn square_pool(kernel: usize, stride: usize, pad: usize, ceil_mode: bool) -> MaxPool2d {
    MaxPool2d { kernel: [kernel; 2], stride: [stride; 2], pad: [pad; 4], ceil_mode }
}
