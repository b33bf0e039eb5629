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
use std::sync::Arc;

pub use forward::{NodeOutputs, Retain};

use crate::error::{Error, Result};
use crate::ops::{Backward, ConvAlgorithm, ConvAlgorithms, Convolution, Forward, Op, Saved, Tensor};
use crate::shape::Shape;

/// The index of a node in its [`Graph`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// One node.
#[derive(Clone, Debug)]
pub struct Node {
    /// The name of the layer, as in torchvision.
    pub name: String,
    /// Its op.
    pub op: Arc<dyn Op>,
    /// The nodes whose outputs the op takes.
    pub inputs: Vec<NodeId>,
    /// The shape of its output for one image (N is 1).
    pub shape: Shape,
}

/// Nodes in an order in which each comes after its inputs; node 0 is the input, the last one the output.
#[derive(Clone, Debug)]
pub struct Graph {
    nodes: Vec<Node>,
    /// Nodes whose outputs are read, see [`Graph::truncated`].
    outputs: Vec<NodeId>,
}

impl Graph {
    /// A graph with just its input, of this shape for one image.
    pub fn new(input: Shape) -> Self {
        let node = Node { name: "input".into(), op: Arc::new(Input), inputs: Vec::new(), shape: input.with_batch(1) };
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
    pub fn push(&mut self, name: impl Into<String>, op: impl Op + 'static, inputs: &[NodeId]) -> Result<NodeId> {
        self.push_shared(name, Arc::new(op), inputs)
    }

    /// [`Graph::push`] of a shared op.
    ///
    /// # Errors
    /// If the op cannot take its inputs, or there are none.
    pub fn push_shared(&mut self, name: impl Into<String>, op: Arc<dyn Op>, inputs: &[NodeId]) -> Result<NodeId> {
        let name = name.into();
        if inputs.is_empty() {
            return Err(Error::input(format!(
                "{} ({name}): takes no input, and every node but the first has one",
                op.name()
            )));
        }
        let shape = op.output(&name, &self.shapes(inputs))?;
        self.nodes.push(Node { name, op, inputs: inputs.to_vec(), shape });
        Ok(self.output())
    }

    /// The shapes of the outputs of several nodes, for one image.
    fn shapes(&self, ids: &[NodeId]) -> Vec<Shape> {
        ids.iter().map(|&id| self.node(id).shape).collect()
    }

    /// The same graph with other ops: where `replace` returns an op, that one replaces the node's. It must have the same output
    /// shape.
    ///
    /// # Errors
    /// If a new op does not fit its inputs.
    pub fn map(&self, replace: impl Fn(&Node) -> Option<Arc<dyn Op>>) -> Result<Self> {
        self.rebuilt(self.nodes[0].shape, replace)
    }

    /// The same graph for inputs of another shape. Nodes keep their indices.
    ///
    /// # Errors
    /// If an op cannot take its inputs; the message names the layer and the shapes.
    pub fn with_input(&self, input: Shape) -> Result<Self> {
        self.rebuilt(input, |_| None)
    }

    /// The same nodes behind an input of this shape; where `replace` returns an op, it replaces the node's.
    fn rebuilt(&self, input: Shape, replace: impl Fn(&Node) -> Option<Arc<dyn Op>>) -> Result<Self> {
        let mut graph = Self { outputs: self.outputs.clone(), ..Self::new(input) };
        for node in &self.nodes[1..] {
            let op = replace(node).unwrap_or_else(|| Arc::clone(&node.op));
            graph.push_shared(node.name.clone(), op, &node.inputs)?;
        }
        Ok(graph)
    }

    /// Every convolution, with its keys for the shape of its input.
    pub fn convolutions(&self) -> impl Iterator<Item = Convolution<'_>> {
        self.nodes.iter().filter_map(|node| node.op.convolution(self.node(*node.inputs.first()?).shape))
    }

    /// The algorithm for each direction of each convolution, for a record from which a run is repeated.
    pub fn chosen(&self, algorithms: &ConvAlgorithms) -> BTreeMap<String, ConvAlgorithm> {
        let keys = self.convolutions().flat_map(|convolution| convolution.keys);
        keys.map(|key| (key.to_string(), algorithms.algorithm(&key))).collect()
    }

    /// The nodes from which `outputs` are computed, and no others. Fusing does not change the outputs, so that they can be read;
    /// [`Graph::outputs`] says where they are.
    pub fn truncated(&self, outputs: &[NodeId]) -> Self {
        let (graph, now) = self.needed_for(outputs);
        let outputs = outputs.iter().map(|output| now[output.0].expect("an output is needed")).collect();
        Self { outputs, ..graph }
    }

    /// The nodes from which `outputs` are computed, and no others; and where each node of this graph is in that one.
    pub(crate) fn needed_for(&self, outputs: &[NodeId]) -> (Self, Vec<Option<NodeId>>) {
        let mut needed = vec![false; self.nodes.len()];
        needed[0] = true;
        outputs.iter().for_each(|output| needed[output.0] = true);
        for (i, node) in self.nodes.iter().enumerate().rev() {
            if needed[i] {
                node.inputs.iter().for_each(|input| needed[input.0] = true);
            }
        }
        let mut now = vec![None; self.nodes.len()];
        let mut nodes = Vec::new();
        for (i, node) in self.nodes.iter().enumerate().filter(|&(i, _)| needed[i]) {
            now[i] = Some(NodeId(nodes.len()));
            let inputs = node.inputs.iter().map(|input| now[input.0].expect("an input of a needed node is needed"));
            nodes.push(Node { inputs: inputs.collect(), ..node.clone() });
        }
        (Self { nodes, outputs: Vec::new() }, now)
    }

    /// The nodes after `id`, as a graph whose input is the output of that node.
    ///
    /// # Errors
    /// If one of them reads the output of a node before it.
    pub fn after(&self, id: NodeId) -> Result<Self> {
        let mut graph = Self::new(self.node(id).shape);
        for node in &self.nodes[id.0 + 1..] {
            let inputs: Option<Vec<NodeId>> = node.inputs.iter().map(|x| x.0.checked_sub(id.0).map(NodeId)).collect();
            let before = || {
                let (name, of) = (&node.name, &self.node(id).name);
                Error::input(format!("{name}: it reads the output of a layer before {of}"))
            };
            graph.push_shared(node.name.clone(), Arc::clone(&node.op), &inputs.ok_or_else(before)?)?;
        }
        Ok(graph)
    }

    /// The nodes that [`Graph::truncated`] was given, as they are in this graph.
    pub fn outputs(&self) -> &[NodeId] {
        &self.outputs
    }

    /// How many nodes read the output of each node, plus one if it is an output of the graph.
    fn readers(&self) -> Vec<usize> {
        let mut counts = self.consumers();
        for (i, count) in counts.iter_mut().enumerate() {
            *count += usize::from(self.outputs.contains(&NodeId(i)));
        }
        counts
    }

    /// How many nodes read the output of each node.
    fn consumers(&self) -> Vec<usize> {
        let mut counts = vec![0; self.nodes.len()];
        self.nodes.iter().flat_map(|n| &n.inputs).for_each(|i| counts[i.0] += 1);
        counts
    }
}

/// The op of the first node, which computes nothing.
#[derive(Debug)]
struct Input;

impl Op for Input {
    fn name(&self) -> &str {
        "input"
    }

    fn output(&self, label: &str, _xs: &[Shape]) -> Result<Shape> {
        Err(Error::input(format!("{label}: a graph has one input, its first node")))
    }

    fn forward(&self, _cx: &mut Forward<'_>, _xs: &[Tensor], _y: Tensor) -> Result<Saved> {
        Ok(Saved::new())
    }

    fn backward(&self, _cx: &mut Backward<'_>) -> Result<()> {
        Ok(())
    }
}
