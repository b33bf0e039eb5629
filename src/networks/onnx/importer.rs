//! The graph while it is built, and what all operators need to append to it.

use std::collections::HashMap;

use super::call::{Call, Layer, Value};
use crate::error::Result;
use crate::graph::{Graph, NodeId};
use crate::networks::modules::{Module, Norm};
use crate::ops::{Move, Op, PadMode, Reshape};
use crate::weights::{Model, Node, Weights};

/// The graph so far.
pub(super) struct Importer<'a> {
    pub(super) weights: &'a Weights,
    pub(super) model: &'a Model,
    /// The name of the output.
    pub(super) output: &'a str,
    pub(super) graph: Graph,
    pub(super) values: HashMap<&'a str, Value>,
    pub(super) modules: Vec<Module>,
    pub(super) norms: Vec<Norm>,
    pub(super) notes: Vec<String>,
}

impl Importer<'_> {
    /// Appends an op that reads these layers, and returns it with its shape as extents.
    pub(super) fn push(&mut self, call: &Call<'_>, op: impl Op + 'static, inputs: &[&Layer]) -> Result<Layer> {
        let nodes = inputs.iter().map(|layer| self.padded(call, layer)).collect::<Result<Vec<_>>>()?;
        let node = self.graph.push(call.node.name.clone(), op, &nodes)?;
        Ok(Layer::of(node, self.graph.node(node).shape.extents().to_vec()))
    }

    /// The node of a layer with the zeros around it.
    fn padded(&mut self, call: &Call<'_>, layer: &Layer) -> Result<NodeId> {
        let [top, left, bottom, right] = layer.pad.map(|pad| i64::try_from(pad).unwrap_or(i64::MAX));
        if layer.pad == [0; 4] {
            return Ok(layer.node);
        }
        let pads = vec![[0; 2], [0; 2], [top, bottom], [left, right]];
        let op = Move::Pad { pads, mode: PadMode::Constant(0.0) };
        self.graph.push(format!("{} pad", call.node.name), op, &[layer.node])
    }

    /// Appends an op that treats every element alike.
    pub(super) fn alike(&mut self, call: &Call<'_>, op: impl Op + 'static) -> Result<Layer> {
        let x = call.layer(0)?;
        let y = self.push(call, op, &[&x])?;
        let dims = if x.pad == [0; 4] { x.dims } else { y.dims.clone() };
        Ok(Layer { dims, ..y })
    }

    /// Appends an op on nodes of the extents of the model with `before` axes more, and returns its output without these.
    pub(super) fn push_after(
        &mut self,
        call: &Call<'_>,
        op: impl Op + 'static,
        inputs: &[&Layer],
        before: usize,
    ) -> Result<Layer> {
        let y = self.push(call, op, inputs)?;
        Ok(Layer { dims: y.dims[before..].to_vec(), ..y })
    }

    /// A layer whose node has the extents of the model, after the batch if that is not the first of them: see [`Layer::before`].
    pub(super) fn shaped(&mut self, call: &Call<'_>, layer: Layer) -> Result<Layer> {
        let before = layer.before();
        self.framed(call, layer, before)
    }

    /// A layer whose node has the extents of the model, with `before` axes of extent 1 before them.
    pub(super) fn framed(&mut self, call: &Call<'_>, layer: Layer, before: usize) -> Result<Layer> {
        let node = self.padded(call, &layer)?;
        let shape = self.graph.node(node).shape;
        let extents = [&vec![1; before], &layer.dims[..]].concat();
        if shape.extents() == extents {
            return Ok(Layer::of(node, layer.dims));
        }
        let extents = extents[1..].iter().map(|&dim| dim as i64).collect();
        let node = self.graph.push(format!("{} reshape", call.node.name), Reshape(extents), &[node])?;
        Ok(Layer::of(node, layer.dims))
    }

    /// An input without zeros around it.
    pub(super) fn plain(&mut self, call: &Call<'_>, at: usize) -> Result<Layer> {
        let layer = call.layer(at)?;
        if layer.pad == [0; 4] { Ok(layer) } else { self.shaped(call, layer) }
    }

    /// Two layers whose nodes have one rank, as NumPy broadcasts them, with as many axes before those of the model as are returned.
    pub(super) fn pair(&mut self, call: &Call<'_>, [a, b]: [&Layer; 2], least: usize) -> Result<([Layer; 2], usize)> {
        let rank = a.dims.len().max(b.dims.len());
        let [a, b] = [a, b].map(|layer| layer.clone().of_rank(rank));
        let before = a.before().max(b.before()).max(usize::from(rank < least));
        Ok(([self.framed(call, a, before)?, self.framed(call, b, before)?], before))
    }

    /// An input of images, `[N,C,H,W]`.
    pub(super) fn image(&mut self, call: &Call<'_>, at: usize) -> Result<Layer> {
        let layer = call.layer(at)?;
        if layer.dims.len() != 4 {
            return Err(call.error(format!("input {at} is {:?}, and only [N,C,H,W] is supported", layer.dims)));
        }
        if layer.before() > 0 {
            return Err(call.error(format!("input {at} is {:?}, which is several images for each image", layer.dims)));
        }
        self.shaped(call, layer)
    }

    /// The name of a node as a module: `/layer1/layer1.0/conv1/Conv`, as torch.onnx writes the scopes of modules, is `layer1.0.conv1.Conv`.
    /// Signs that names of modules cannot have become `_`.
    pub(super) fn module_name(&self, node: &Node) -> String {
        let mut name = String::new();
        let mut last = "";
        for scope in node.name.split('/').filter(|scope| !scope.is_empty()) {
            // The scope of an item of a list repeats that of the list.
            if !last.is_empty() && scope.strip_prefix(last).is_some_and(|rest| rest.starts_with('.')) {
                name.truncate(name.len() - last.len());
            } else if !name.is_empty() {
                name.push('.');
            }
            name += scope;
            last = scope;
        }
        name.chars().map(|c| if c.is_ascii_alphanumeric() || matches!(c, '_' | '.') { c } else { '_' }).collect()
    }
}
