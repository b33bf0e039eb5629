//! Networks as plain data: nodes in order, each with its op, inputs and shape for one image.
//!
//! [`Graph::fused`] rewrites a network for speed, [`Graph::record_forward`] and [`Graph::record_backward`] turn it into
//! commands. Nothing here knows a device.

mod backward;
mod formats;
mod forward;
mod fuse;
mod slices;

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

pub use forward::{Activations, Retain};

use crate::error::{Error, Result};
use crate::gpu::Recording;
use crate::ops::{
    Concat, Conv2d, ConvAlgorithm, ConvAlgorithms, GlobalAvgPool2d, Linear, LocalResponseNorm, MaxPool2d, ScaleShift,
    Tensor,
};
use crate::shape::Shape;

/// A node of a [`Graph`], by its place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// What a node computes of its inputs.
#[derive(Clone, Debug)]
pub enum Op {
    /// The graph's input.
    Input,
    /// Batch norm at inference, or normalize.
    ScaleShift(ScaleShift),
    /// Convolution of the first input; a second input is added to it; then a relu if `relu`.
    Conv2d {
        /// Weights, stride and padding.
        conv: Conv2d,
        /// Whether a relu is fused into it.
        relu: bool,
    },
    /// `max(x, 0)`.
    Relu,
    /// Maximum over windows.
    MaxPool2d(MaxPool2d),
    /// Division by a power of the squares around a value along the channels.
    LocalResponseNorm(LocalResponseNorm),
    /// Mean of each plane.
    GlobalAvgPool2d(GlobalAvgPool2d),
    /// Fully connected layer on flattened input.
    Linear(Linear),
    /// Sum of two inputs.
    Add,
    /// All inputs one after the other along the channels.
    Concat,
    /// An op from outside of the crate.
    Custom(Arc<dyn CustomOp>),
}

/// An op from outside of the crate: it brings its own WGSL (see `Kernel::custom`) and is used like any other.
/// `examples/custom_op.rs` shows one.
pub trait CustomOp: fmt::Debug + Send + Sync {
    /// The op's name in labels and errors.
    fn name(&self) -> &str;

    /// The shape of y for x.
    ///
    /// # Errors
    /// If the op cannot take x.
    fn output(&self, label: &str, x: Shape) -> Result<Shape>;

    /// Appends what computes y from x.
    ///
    /// # Errors
    /// If shapes or shaders do not fit.
    fn forward(&self, rec: &mut Recording, label: &str, x: Tensor, y: Tensor) -> Result<()>;

    /// Appends what computes dx from dy, x and y; it writes every element of dx.
    ///
    /// # Errors
    /// If shapes or shaders do not fit.
    fn backward(&self, rec: &mut Recording, label: &str, dy: Tensor, x: Tensor, y: Tensor, dx: Tensor) -> Result<()>;
}

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// The layer's name, as torchvision's.
    pub name: String,
    /// What it computes.
    pub op: Op,
    /// Of what.
    pub inputs: Vec<NodeId>,
    /// The shape of its output for one image (N is 1).
    pub shape: Shape,
}

/// Nodes in an order in which each comes after its inputs; node 0 is the input, the last one the output.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    /// Nodes that are looked at, see [`Graph::truncated`].
    outputs: Vec<NodeId>,
}

impl Graph {
    /// A graph with just its input, of this shape for one image.
    pub fn new(input: Shape) -> Self {
        let node = Node { name: "input".into(), op: Op::Input, inputs: Vec::new(), shape: input.with_batch(1) };
        Self { nodes: vec![node], outputs: Vec::new() }
    }

    /// The input.
    pub fn input(&self) -> NodeId {
        NodeId(0)
    }

    /// The last node.
    pub fn output(&self) -> NodeId {
        NodeId(self.nodes.len() - 1)
    }

    /// All nodes, in order.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// One node.
    pub fn node(&self, id: NodeId) -> &Node {
        &self.nodes[id.0]
    }

    /// The first node of this name.
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.nodes.iter().position(|n| n.name == name).map(NodeId)
    }

    /// Appends a node.
    ///
    /// # Errors
    /// If the op cannot take its inputs; the message names the layer and the shapes.
    pub fn push(&mut self, name: impl Into<String>, op: Op, inputs: &[NodeId]) -> Result<NodeId> {
        let name = name.into();
        let shapes: Vec<Shape> = inputs.iter().map(|&i| self.node(i).shape).collect();
        let shape = output_shape(&name, &op, &shapes)?;
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), shape });
        Ok(self.output())
    }

    /// The same graph with every op that `replace` answers for exchanged for its answer, an op of the same output shape.
    ///
    /// # Errors
    /// If an answer does not fit its inputs.
    pub fn map(&self, replace: impl Fn(&Node) -> Option<Op>) -> Result<Self> {
        let mut graph = Self { nodes: vec![self.nodes[0].clone()], outputs: self.outputs.clone() };
        for node in &self.nodes[1..] {
            let op = replace(node).unwrap_or_else(|| node.op.clone());
            graph.push(node.name.clone(), op, &node.inputs)?;
        }
        Ok(graph)
    }

    /// Every convolution with the shape of its input, for one image.
    pub fn convolutions(&self) -> impl Iterator<Item = (&Conv2d, Shape)> {
        self.nodes.iter().filter_map(|node| match &node.op {
            Op::Conv2d { conv, .. } => Some((conv, self.node(node.inputs[0]).shape)),
            _ => None,
        })
    }

    /// What `choices` come to for each direction of each convolution, for a record that a replay reads.
    pub fn chosen(&self, choices: &ConvAlgorithms) -> BTreeMap<String, ConvAlgorithm> {
        let both = |(conv, x)| {
            [false, true].map(|backward| (ConvAlgorithms::key(conv, x, backward), choices.variant(conv, x, backward)))
        };
        self.convolutions().flat_map(both).collect()
    }

    /// Only what `ends` are computed of. The outputs of these stay what they are however the graph is fused, so that they can
    /// be looked at; [`Graph::outputs`] says where they are.
    pub fn truncated(&self, outputs: &[NodeId]) -> Self {
        let mut needed = vec![false; self.nodes.len()];
        needed[0] = true;
        outputs.iter().for_each(|end| needed[end.0] = true);
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if needed[i] {
                node.inputs.iter().for_each(|input| needed[input.0] = true);
            }
        }
        let mut now = vec![NodeId(0); self.nodes.len()];
        let mut nodes = Vec::new();
        for (i, node) in self.nodes.iter().enumerate().filter(|&(i, _)| needed[i]) {
            now[i] = NodeId(nodes.len());
            nodes.push(Node { inputs: node.inputs.iter().map(|input| now[input.0]).collect(), ..node.clone() });
        }
        Self { nodes, outputs: outputs.iter().map(|end| now[end.0]).collect() }
    }

    /// The nodes that [`Graph::truncated`] was given, as they are in this graph.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// How many nodes take each node's output, and one more where it is looked at.
    fn readers(&self) -> Vec<usize> {
        let mut counts = self.consumers();
        for (i, count) in counts.iter_mut().enumerate() {
            *count += usize::from(self.outputs.contains(&NodeId(i)));
        }
        counts
    }

    /// How many nodes take each node's output.
    fn consumers(&self) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        self.nodes.iter().flat_map(|n| &n.inputs).for_each(|i| counts[i.0] += 1);
        counts
    }
}

fn output_shape(name: &str, op: &Op, inputs: &[Shape]) -> Result<Shape> {
    let wrong_count = || Error::input(format!("{name}: {} inputs are not what this op takes", inputs.len()));
    let (&x, second) = inputs.split_first().ok_or_else(wrong_count)?;
    let wanted = match op {
        Op::Add => 1,
        Op::Conv2d { .. } => second.len().min(1),
        _ => 0,
    };
    if second.len() != wanted && !matches!(op, Op::Concat) {
        return Err(wrong_count());
    }
    let shape = match op {
        Op::Input => return Err(Error::input(format!("{name}: a graph has one input, its first node"))),
        Op::Conv2d { conv, .. } => conv.output(name, x)?,
        Op::MaxPool2d(pool) => pool.output(name, x)?,
        Op::LocalResponseNorm(norm) => norm.output(name, x)?,
        Op::Concat => return Concat.output(name, inputs),
        Op::GlobalAvgPool2d(pool) => pool.output(name, x)?,
        Op::Linear(linear) => {
            let (inputs, outputs) = (x.image_len(), linear.b.len());
            if linear.w.len() != inputs * outputs {
                let weights = linear.w.len();
                return Err(Error::input(format!(
                    "linear ({name}): x {x} has {inputs} elements an image, and {outputs} outputs need {} weights, not {weights}",
                    inputs * outputs
                )));
            }
            Shape::new(1, outputs, 1, 1)
        }
        Op::Custom(op) => op.output(name, x)?,
        Op::ScaleShift(op) => op.output(name, x)?,
        Op::Relu | Op::Add => x,
    };
    if let Some(&z) = second.first().filter(|&&z| z != shape) {
        return Err(Error::input(format!("{name}: adds {z} to {shape}")));
    }
    Ok(shape)
}
