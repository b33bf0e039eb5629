//! What building any of the networks takes: a graph that grows, and the modules seen on the way.

use super::{Module, Preprocessing, SIDE};
use crate::error::{Error, Result};
use crate::graph::{Graph, NodeId, Op};
use crate::ops::{Conv2d, GlobalAvgPool2d, Linear, MaxPool2d, ScaleShift};
use crate::shape::Shape;
use crate::weights::Weights;

/// The node that brings pixels to what the first layer reads.
pub(super) const NORMALIZE: &str = "normalize";

pub(super) struct Builder<'a> {
    weights: &'a Weights,
    graph: Graph,
    pub(super) modules: Vec<Module>,
}

impl<'a> Builder<'a> {
    /// Pixels, normalised, and the root module, of which [`Builder::finish`] knows what it shows.
    pub(super) fn begin(weights: &'a Weights, input: &Preprocessing) -> Result<(Self, NodeId)> {
        let mut b = Self { weights, graph: Graph::new(Shape::new(1, 3, SIDE, SIDE)), modules: Vec::new() };
        let x = b.push(NORMALIZE, Op::ScaleShift(input.normalize()), b.graph.input())?;
        b.module("root", x);
        Ok((b, x))
    }

    /// The last layer, and what was built.
    pub(super) fn finish(mut self, x: NodeId) -> Result<(Graph, Vec<Module>)> {
        let tensor = |name| self.weights.tensor_f32(name);
        let linear = Linear { w: tensor("fc.weight")?.into(), b: tensor("fc.bias")?.into() };
        let fc = self.push("fc", Op::Linear(linear), x)?;
        self.module("fc", fc);
        (self.modules[0].snapshot, self.modules[0].alias) = (fc, fc);
        Ok((self.graph, self.modules))
    }

    pub(super) fn push(&mut self, name: impl Into<String>, op: Op, x: NodeId) -> Result<NodeId> {
        self.graph.push(name, op, &[x])
    }

    pub(super) fn join(&mut self, name: impl Into<String>, op: Op, inputs: &[NodeId]) -> Result<NodeId> {
        self.graph.push(name, op, inputs)
    }

    /// A module that shows a node under both semantics.
    pub(super) fn module(&mut self, name: &str, node: NodeId) {
        self.aliased(name, node, node);
    }

    /// A module whose output an op in place writes over.
    pub(super) fn aliased(&mut self, name: &str, snapshot: NodeId, alias: NodeId) {
        self.modules.push(Module { name: name.to_owned(), snapshot, alias });
    }

    /// A module that shows a node and comes before those from `at` on, which are inside of it.
    pub(super) fn container(&mut self, at: usize, name: &str, node: NodeId) {
        self.modules.insert(at, Module { name: name.to_owned(), snapshot: node, alias: node });
    }

    /// A convolution with a square stride and padding, and with a bias if the file has one.
    pub(super) fn conv(&mut self, name: &str, x: NodeId, stride: usize, pad: usize) -> Result<NodeId> {
        let (weight, bias) = (format!("{name}.weight"), format!("{name}.bias"));
        let shape: Option<[usize; 4]> = self.weights.shape(&weight).and_then(|s| s.try_into().ok());
        let w_shape = shape.ok_or_else(|| Error::input(format!("`{weight}` is not the weight of a convolution")))?;
        let w = self.weights.tensor_f32(&weight)?;
        let b = self.weights.shape(&bias).map(|_| self.weights.tensor_f32(&bias)).transpose()?.map(Into::into);
        let conv = Conv2d::new(w, w_shape, b, [stride; 2], [pad; 4]);
        self.push(name, Op::Conv2d { conv, relu: false }, x)
    }

    pub(super) fn batch_norm(&mut self, name: &str, x: NodeId, eps: f64) -> Result<NodeId> {
        let part = |part: &str| self.weights.tensor_f32(&format!("{name}.{part}"));
        let (weight, bias, mean, var) = (part("weight")?, part("bias")?, part("running_mean")?, part("running_var")?);
        if let Some(i) = var.iter().position(|&v| v < 0.0) {
            let value = var[i];
            return Err(Error::input(format!(
                "`{name}.running_var` is {value} at {i}, but a variance cannot be negative"
            )));
        }
        self.push(name, Op::ScaleShift(ScaleShift::batch_norm(&weight, &bias, &mean, &var, eps)), x)
    }

    /// A square max pool that is a module.
    pub(super) fn max_pool(&mut self, name: &str, x: NodeId, pool: MaxPool2d) -> Result<NodeId> {
        let y = self.push(name, Op::MaxPool2d(pool), x)?;
        self.module(name, y);
        Ok(y)
    }

    pub(super) fn avgpool(&mut self, x: NodeId) -> Result<NodeId> {
        let y = self.push("avgpool", Op::GlobalAvgPool2d(GlobalAvgPool2d), x)?;
        self.module("avgpool", y);
        Ok(y)
    }
}

/// Square windows, stride and padding of a max pool.
pub(super) fn square_pool(kernel: usize, stride: usize, pad: usize, ceil_mode: bool) -> MaxPool2d {
    MaxPool2d { kernel: [kernel; 2], stride: [stride; 2], pad: [pad; 4], ceil_mode }
}
