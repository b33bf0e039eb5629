//! The graph of an ONNX file.

use std::collections::BTreeMap;

use super::tensor::{Stored, pair};
use super::wire::{Damaged, Fields, Value};
use crate::suggest::shown;

/// A model: nodes in an order in which each reads only outputs before it, and stored tensors by name.
#[derive(Clone, Debug, Default)]
pub(crate) struct Model {
    /// The version of the standard operators.
    pub(crate) opset: i64,
    /// The program that wrote it, with its version.
    pub(crate) producer: String,
    pub(crate) nodes: Vec<Node>,
    /// The inputs of the graph that no stored tensor has the name of.
    pub(crate) inputs: Vec<Port>,
    pub(crate) outputs: Vec<Port>,
    pub(crate) stored: BTreeMap<String, Stored>,
    pub(crate) metadata: BTreeMap<String, String>,
}

/// One node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Node {
    /// Its name; the name of its first output if it has none.
    pub(crate) name: String,
    /// The operator, such as `Conv`.
    pub(crate) op: String,
    /// Where the operator is defined; empty for the standard ones.
    pub(crate) domain: String,
    /// Names of values; an empty one is an optional input that is left out.
    pub(crate) inputs: Vec<String>,
    pub(crate) outputs: Vec<String>,
    pub(crate) attributes: BTreeMap<String, Attribute>,
}

/// The value of an attribute.
#[derive(Clone, Debug)]
pub(crate) enum Attribute {
    Float(f32),
    Int(i64),
    Text(String),
    Tensor(Stored),
    Floats(Vec<f32>),
    Ints(Vec<i64>),
    /// A graph, or another kind that no operator of ours has.
    Other,
}

/// An input or output of the graph.
#[derive(Clone, Debug, Default)]
pub(crate) struct Port {
    pub(crate) name: String,
    /// The extents, `None` for those that the model leaves open. `None` if it does not say how many there are.
    pub(crate) dims: Option<Vec<Option<usize>>>,
}

/// The most nodes, attributes, names and tensors of a model, all together. A large transformer has some ten thousand.
const MAX_PARTS: usize = 1 << 20;

/// Reads a file, and counts its parts.
struct Reader<'a> {
    file: &'a [u8],
    parts: usize,
}

/// What is wrong with a file.
type Outcome<T> = Result<T, String>;

impl From<Damaged> for String {
    fn from(_: Damaged) -> Self {
        "is cut short or damaged: it begins as an ONNX model, but not all of it can be read".to_owned()
    }
}

impl Model {
    /// Reads a `ModelProto`. The error says what is wrong with the file.
    pub(crate) fn read(file: &[u8]) -> Outcome<Self> {
        let mut reader = Reader { file, parts: 0 };
        let (mut model, mut graph) = (Self::default(), None);
        let (mut producer, mut version) = (String::new(), String::new());
        for field in Fields::of(file) {
            let (number, value) = field?;
            match number {
                2 => producer = value.text()?,
                3 => version = value.text()?,
                7 => graph = Some(value.bytes()?),
                8 => {
                    if let Some(opset) = opset(value.bytes()?)? {
                        model.opset = opset;
                    }
                }
                14 => {
                    let (key, value) = pair(value.bytes()?)?;
                    reader.count()?;
                    model.metadata.insert(key, value);
                }
                _ => {}
            }
        }
        model.producer = format!("{producer} {version}").trim().to_owned();
        reader.graph(graph.ok_or("is an ONNX model without a graph")?, &mut model)?;
        Ok(model)
    }
}

/// The version in an `OperatorSetIdProto`, if it is that of the standard operators.
fn opset(message: &[u8]) -> Outcome<Option<i64>> {
    let (mut domain, mut version) = (String::new(), 0);
    for field in Fields::of(message) {
        match field? {
            (1, value) => domain = value.text()?,
            (2, value) => version = value.int()?,
            _ => {}
        }
    }
    Ok(matches!(&domain[..], "" | "ai.onnx").then_some(version))
}

impl Reader<'_> {
    fn count(&mut self) -> Outcome<()> {
        self.parts += 1;
        if self.parts <= MAX_PARTS {
            return Ok(());
        }
        Err(format!("has more than {MAX_PARTS} nodes, attributes and names, which no network has"))
    }

    fn graph(&mut self, message: &[u8], model: &mut Model) -> Outcome<()> {
        for field in Fields::of(message) {
            let (number, value) = field?;
            match number {
                1 => {
                    let node = self.node(value.bytes()?)?;
                    model.nodes.push(node);
                }
                5 => {
                    self.count()?;
                    let tensor = Stored::read(self.file, value.bytes()?);
                    let (name, stored) = tensor.map_err(|what| format!("tensor {what}"))?;
                    if model.stored.insert(name.clone(), stored).is_some() {
                        return Err(format!("has two tensors with the name `{}`", shown(&name)));
                    }
                }
                11 | 12 => {
                    self.count()?;
                    let port = port(value.bytes()?)?;
                    if number == 11 { model.inputs.push(port) } else { model.outputs.push(port) }
                }
                _ => {}
            }
        }
        model.inputs.retain(|input| !model.stored.contains_key(&input.name));
        Ok(())
    }

    fn node(&mut self, message: &[u8]) -> Outcome<Node> {
        self.count()?;
        let mut node = Node::default();
        for field in Fields::of(message) {
            let (number, value) = field?;
            match number {
                1 | 2 => {
                    self.count()?;
                    if number == 1 { &mut node.inputs } else { &mut node.outputs }.push(value.text()?);
                }
                3 => node.name = value.text()?,
                4 => node.op = value.text()?,
                5 => {
                    self.count()?;
                    let (name, attribute) = self.attribute(value.bytes()?)?;
                    node.attributes.insert(name, attribute);
                }
                7 => node.domain = value.text()?,
                _ => {}
            }
        }
        if node.domain == "ai.onnx" {
            node.domain.clear();
        }
        if node.name.is_empty() {
            node.name = node.outputs.first().cloned().unwrap_or_default();
        }
        Ok(node)
    }

    fn attribute(&self, message: &[u8]) -> Outcome<(String, Attribute)> {
        let (mut name, mut attribute) = (String::new(), Attribute::Other);
        let (mut floats, mut ints) = (Vec::new(), Vec::new());
        // AttributeProto.AttributeType: which field holds the value. Models before 2017 leave it out.
        let mut kind = 0;
        for field in Fields::of(message) {
            let (number, value) = field?;
            match number {
                1 => name = value.text()?,
                2 => attribute = Attribute::Float(value.float()?),
                3 => attribute = Attribute::Int(value.int()?),
                4 => attribute = Attribute::Text(value.text()?),
                5 => {
                    let tensor = Stored::read(self.file, value.bytes()?);
                    let (_, stored) = tensor.map_err(|what| format!("the tensor of an attribute {what}"))?;
                    attribute = Attribute::Tensor(stored);
                }
                7 => floats.extend(value.floats()?),
                8 => ints.extend(value.ints()?),
                20 => kind = value.int()?,
                _ => {}
            }
        }
        // An empty list, and a number that is zero, may have no field of their own.
        let attribute = match (kind, attribute) {
            (6, _) => Attribute::Floats(floats),
            (7, _) => Attribute::Ints(ints),
            (0, Attribute::Other) if !floats.is_empty() => Attribute::Floats(floats),
            (0, Attribute::Other) if !ints.is_empty() => Attribute::Ints(ints),
            (1, Attribute::Other) => Attribute::Float(0.0),
            (2, Attribute::Other) => Attribute::Int(0),
            (3, Attribute::Other) => Attribute::Text(String::new()),
            (_, attribute) => attribute,
        };
        Ok((name, attribute))
    }
}

/// Reads a `ValueInfoProto`.
fn port(message: &[u8]) -> Outcome<Port> {
    let mut port = Port::default();
    for field in Fields::of(message) {
        match field? {
            (1, value) => port.name = value.text()?,
            (2, value) => port.dims = only_field(value, 1)?.map_or(Ok(None), |tensor| dims(tensor))?,
            _ => {}
        }
    }
    Ok(port)
}

/// The last field of this number in a message.
fn only_field(message: Value<'_>, wanted: u32) -> Outcome<Option<Value<'_>>> {
    let mut found = None;
    for field in Fields::of(message.bytes()?) {
        let (number, value) = field?;
        if number == wanted {
            found = Some(value);
        }
    }
    Ok(found)
}

/// The extents in a `TypeProto.Tensor`.
fn dims(tensor: Value<'_>) -> Outcome<Option<Vec<Option<usize>>>> {
    let Some(shape) = only_field(tensor, 2)? else { return Ok(None) };
    let mut dims = Vec::new();
    for field in Fields::of(shape.bytes()?) {
        let (number, value) = field?;
        if number == 1 {
            let fixed = only_field(value, 1)?.map(Value::int).transpose()?;
            dims.push(fixed.and_then(|dim| usize::try_from(dim).ok()).filter(|&dim| dim > 0));
        }
        if dims.len() > MAX_EXTENTS {
            return Err(format!("has an input or output with more than {MAX_EXTENTS} extents"));
        }
    }
    Ok(Some(dims))
}

/// The most extents of an input or output.
const MAX_EXTENTS: usize = 16;

impl Node {
    /// An integer attribute.
    pub(crate) fn int(&self, name: &str) -> Option<i64> {
        match self.attributes.get(name)? {
            Attribute::Int(value) => Some(*value),
            _ => None,
        }
    }

    /// A floating-point attribute.
    pub(crate) fn float(&self, name: &str) -> Option<f32> {
        match self.attributes.get(name)? {
            Attribute::Float(value) => Some(*value),
            _ => None,
        }
    }

    /// A list of integers.
    pub(crate) fn ints(&self, name: &str) -> Option<&[i64]> {
        match self.attributes.get(name)? {
            Attribute::Ints(values) => Some(values),
            _ => None,
        }
    }

    /// A text.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        match self.attributes.get(name)? {
            Attribute::Text(text) => Some(text),
            _ => None,
        }
    }
}
