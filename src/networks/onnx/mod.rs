//! Networks from ONNX files: the nodes of a model as a graph, and its named modules.

mod call;
mod constant;
mod einsum;
mod fold;
mod importer;
mod layers;
mod moves;
mod norms;
mod numbers;
mod pointwise;
mod products;
mod windows;

use std::collections::{HashMap, HashSet};

use super::builder::{Built, NORMALIZE};
use super::modules::{Module, Norm};
use super::preprocessing::Preprocessing;
use crate::error::{Error, Result};
use crate::graph::Graph;
use crate::ops::{Reshape, ScaleShift};
use crate::shape::{ImageSpec, Shape};
use crate::suggest::shown;
use crate::weights::{Attribute, Model, Node, Port, Stored, Weights};
use call::{Call, Layer, Value};
use constant::{Constant, count};
use importer::Importer;

/// The oldest version of the operators that is read, by its meaning of shapes and broadcasting.
const OLDEST_OPSET: i64 = 7;

/// The input of a model: its channels, and its rows and columns if they are fixed.
pub(super) fn image_of(weights: &Weights, model: &Model) -> Result<(usize, Option<[usize; 2]>)> {
    let input = input_of(weights, model)?;
    let wrong = |what: String| Error::input(format!("{}: its input `{}` {what}", weights.name(), shown(&input.name)));
    match input.dims.as_deref() {
        Some(&[_, Some(channels @ (1 | 3 | 4)), h, w]) => Ok((channels, h.zip(w).map(|(h, w)| [h, w]))),
        Some(dims) => {
            let text: Vec<String> =
                dims.iter().map(|dim| dim.map_or_else(|| "?".to_owned(), |dim| dim.to_string())).collect();
            Err(wrong(format!(
                "is [{}], and must be images [N,C,H,W] of 1, 3 or 4 channels (for tf2onnx, see its option inputs-as-nchw)",
                text.join(",")
            )))
        }
        None => Err(wrong("has no shape: export the model again with the shape of its input".to_owned())),
    }
}

fn input_of<'a>(weights: &Weights, model: &'a Model) -> Result<&'a Port> {
    match &model.inputs[..] {
        [input] => Ok(input),
        inputs => {
            let names: Vec<String> = inputs.iter().take(6).map(|input| format!("`{}`", shown(&input.name))).collect();
            let (name, count, names) = (weights.name(), inputs.len(), names.join(", "));
            Err(Error::input(format!("{name}: it has {count} inputs ({names}), and a classifier has one, the image")))
        }
    }
}

/// Builds the graph from pixels to the first output of the model.
///
/// # Errors
/// If an operator is not supported, or its inputs do not suit it; the message names the node.
pub(super) fn build(
    weights: &Weights,
    model: &Model,
    image: ImageSpec,
    preprocessing: &Preprocessing,
) -> Result<Built> {
    let fail = |what: String| Error::input(format!("{}: {what}", weights.name()));
    let input = input_of(weights, model)?;
    let output = model.outputs.first().ok_or_else(|| fail("its graph has no output".to_owned()))?;
    if model.opset < OLDEST_OPSET {
        let opset = model.opset;
        return Err(fail(format!(
            "it has the operators of opset {opset}, and {OLDEST_OPSET} is the oldest that is read: export it again with a newer one"
        )));
    }
    let mut importer = Importer {
        weights,
        model,
        output: &output.name,
        graph: Graph::new(image.batch(1)),
        values: HashMap::new(),
        modules: Vec::new(),
        norms: Vec::new(),
        notes: Vec::new(),
    };
    let pixels = importer.graph.input();
    let pixels = importer.graph.push(NORMALIZE, ScaleShift(preprocessing.normalize()), &[pixels])?;
    let dims = vec![1, image.channels, image.height, image.width];
    importer.values.insert(&input.name, Value::Layer(Layer::of(pixels, dims)));
    importer.modules.push(Module { name: "root".to_owned(), snapshot: pixels, alias: pixels });
    let needed = importer.needed();
    importer.check_operators(&needed)?;
    for node in needed {
        importer.node(node).map_err(|error| error.within(format!("{}: ", weights.name())))?;
    }
    importer.built()
}

impl<'a> Importer<'a> {
    /// The nodes from which the output is computed, in order.
    fn needed(&self) -> Vec<&'a Node> {
        let mut names = HashSet::from([self.output]);
        let mut nodes: Vec<&Node> = Vec::new();
        for node in self.model.nodes.iter().rev() {
            if node.outputs.iter().any(|output| names.contains(&output[..])) {
                names.extend(node.inputs.iter().map(String::as_str));
                nodes.push(node);
            }
        }
        nodes.reverse();
        nodes
    }

    /// Checks that there is something for every operator.
    fn check_operators(&self, nodes: &[&Node]) -> Result<()> {
        let known = |node: &Node| {
            let op = &node.op[..];
            node.domain.is_empty() && (fold::OPERATORS.contains(&op) || op == "Split" || layers::import(op).is_some())
        };
        let unknown: Vec<&&Node> = nodes.iter().filter(|node| !known(node)).collect();
        let Some(first) = unknown.first() else { return Ok(()) };
        let mut names: Vec<String> = unknown.iter().map(|node| shown(&node.op)).collect();
        names.sort();
        names.dedup();
        let (file, opset, known, all) =
            (self.weights.name(), self.model.opset, nodes.len() - unknown.len(), nodes.len());
        let domain =
            if first.domain.is_empty() { String::new() } else { format!(" of the domain `{}`", shown(&first.domain)) };
        Err(Error::input(format!(
            "{file}: {known} of its {all} nodes are supported, but not {}; the first is `{}`{domain}, opset {opset}",
            names.join(", "),
            shown(&first.name),
        )))
    }

    /// The value of a name.
    fn value(&mut self, name: &'a str) -> Option<Value> {
        if let Some(value) = self.values.get(name) {
            return Some(value.clone());
        }
        let value = Value::Constant(constant_of(self.weights, self.model.stored.get(name)?));
        self.values.insert(name, value.clone());
        Some(value)
    }

    fn node(&mut self, node: &'a Node) -> Result<()> {
        let mut inputs = Vec::new();
        for name in &node.inputs {
            let value = self.value(name);
            if value.is_none() && !name.is_empty() {
                let (op, at, name) = (shown(&node.op), shown(&node.name), shown(name));
                return Err(Error::input(format!(
                    "{op} ({at}): no node before it has the output `{name}`, which it reads"
                )));
            }
            inputs.push(value);
        }
        if let ("ConstantOfShape", Some(Attribute::Tensor(value))) = (&node.op[..], node.attributes.get("value")) {
            inputs.push(Some(Value::Constant(constant_of(self.weights, value))));
        }
        let call = Call { node, inputs, opset: self.model.opset };
        let before = self.graph.nodes().len();
        let values = match &node.op[..] {
            "Constant" => vec![Value::Constant(call.constant_node(|stored| constant_of(self.weights, stored))?)],
            op => match (call.folded()?, op) {
                (Some(constant), _) => vec![Value::Constant(constant)],
                (None, "Shape" | "Size") => vec![Value::Constant(call.shape_of(&call.layer(0)?.dims)?)],
                (None, "Split") => self.split(&call)?,
                (None, op) => {
                    let import =
                        layers::import(op).ok_or_else(|| call.error("with constant inputs it is not supported"))?;
                    vec![Value::Layer(import(self, &call)?)]
                }
            },
        };
        if let (Some(Value::Layer(layer)), true) = (values.first(), self.graph.nodes().len() > before) {
            let name = self.module_name(node);
            self.modules.push(Module { name, snapshot: layer.node, alias: layer.node });
        }
        for (output, value) in node.outputs.iter().zip(values) {
            if self.values.insert(output, value).is_some() {
                return Err(call.error(format!("another node has the output `{}`, too", shown(output))));
            }
        }
        Ok(())
    }

    /// The graph without nodes that do not lead to the output.
    fn built(mut self) -> Result<Built> {
        let fail =
            |what: String| Error::input(format!("{}: its output `{}` {what}", self.weights.name(), shown(self.output)));
        let Some(Value::Layer(logits)) = self.values.get(self.output).cloned() else {
            return Err(fail("does not depend on its input".to_owned()));
        };
        let shape = self.graph.node(logits.node).shape;
        let classes = count(&logits.dims).unwrap_or(0);
        let is_flat = logits.dims.iter().filter(|&&dim| dim != 1).count() <= 1;
        if logits.dims.first() != Some(&1) || logits.dims.len() < 2 || !is_flat || classes != shape.image_len() {
            return Err(fail(format!("is {:?}, and a classifier has a logit for each class, [N,K]", logits.dims)));
        }
        let logits = if shape == Shape::new(1, classes, 1, 1) {
            logits.node
        } else {
            self.graph.push("logits", Reshape(vec![classes as i64, 1, 1]), &[logits.node])?
        };
        let (graph, now) = self.graph.needed_for(&[logits]);
        let logits = now[logits.0].expect("it is needed");
        let moved =
            |module: Module| Some(Module { snapshot: now[module.snapshot.0]?, alias: now[module.alias.0]?, ..module });
        let mut modules: Vec<Module> = std::mem::take(&mut self.modules).into_iter().filter_map(moved).collect();
        (modules[0].snapshot, modules[0].alias) = (logits, logits);
        unique(&mut modules);
        let norms = self.norms.into_iter().filter_map(|norm| Some(Norm { node: now[norm.node.0]?, ..norm })).collect();
        Ok(Built { graph, modules, norms, notes: self.notes })
    }
}

fn constant_of(weights: &Weights, stored: &Stored) -> Constant {
    Constant { dims: stored.dims.clone(), data: weights.onnx_values(stored).into() }
}

/// Tells modules of one name apart by a number.
fn unique(modules: &mut [Module]) {
    let mut seen: HashMap<String, usize> = HashMap::new();
    for module in modules {
        let count = seen.entry(module.name.clone()).or_insert(0);
        *count += 1;
        if *count > 1 {
            module.name = format!("{}#{count}", module.name);
        }
    }
}
