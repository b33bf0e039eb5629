//! The head of a network: from the features of its last layer to its logits.

use std::collections::BTreeMap;

use crate::error::{Error, Result};
use crate::suggest::{listed, shown};
use crate::weights::Weights;

/// What libraries call the head. If several modules fit, one of these is it.
const USUAL: [&str; 6] = ["fc", "classifier", "head", "linear", "last_linear", "fc_layer"];

/// One layer of a head, with the name of its module.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) enum HeadLayer {
    Linear {
        name: String,
        outputs: usize,
        bias: bool,
    },
    BatchNorm(String),
    Relu(String),
    /// Does nothing.
    Dropout(String),
}

/// The layers after the pool over all positions.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in super::super) struct Head {
    pub(in super::super) layers: Vec<HeadLayer>,
    /// How many features the first layer takes; 0 if there is none. If these are twice the channels of the last layer, the pool gives
    /// the largest values too, as `AdaptiveConcatPool2d` of fastai.
    pub(in super::super) inputs: usize,
    /// Outputs of the last layer; 0 if there is none.
    pub(in super::super) outputs: usize,
}

impl Head {
    /// torchvision's: one layer.
    pub(in super::super) fn linear(inputs: usize, outputs: usize) -> Self {
        let name = "fc".to_owned();
        Self { layers: vec![HeadLayer::Linear { name, outputs, bias: true }], inputs, outputs }
    }

    /// The head in a file, whose names are torchvision's: `fc`, or the layers of a Sequential `fc.0`, `fc.1` and so on. The
    /// first layer without tensors after a fully connected one is taken for a ReLU, and one after a batch norm alone for a dropout.
    pub(in super::super) fn of(weights: &Weights) -> Self {
        let linear = |name: &str, outputs: usize| {
            let bias = weights.shape(&format!("{name}.bias")).is_some();
            HeadLayer::Linear { name: name.to_owned(), outputs, bias }
        };
        if let Some(&[outputs, inputs]) = weights.shape("fc.weight") {
            return Self { layers: vec![linear("fc", outputs)], inputs, outputs };
        }
        let mut modules: BTreeMap<usize, &[usize]> = BTreeMap::new();
        for (name, _, shape) in weights.tensors() {
            let index = name.strip_prefix("fc.").and_then(|rest| rest.strip_suffix(".weight"));
            if let Some(index) = index.and_then(|index| index.parse().ok()) {
                modules.insert(index, shape);
            }
        }
        let mut head = Self { layers: Vec::new(), inputs: 0, outputs: 0 };
        // The index after the last layer, and whether a fully connected layer still waits for its ReLU.
        let (mut next, mut waits) = (None, false);
        for (index, shape) in modules {
            if let Some(free) = next.filter(|&free| free < index) {
                let name = format!("fc.{free}");
                head.layers.push(if waits { HeadLayer::Relu(name) } else { HeadLayer::Dropout(name) });
                waits = false;
            }
            next = index.checked_add(1);
            if head.layers.is_empty() {
                head.inputs = *shape.last().unwrap_or(&0);
            }
            let name = format!("fc.{index}");
            if let [outputs, _] = *shape {
                (head.outputs, waits) = (outputs, true);
                head.layers.push(linear(&name, outputs));
            } else {
                head.layers.push(HeadLayer::BatchNorm(name));
            }
        }
        head
    }
}

/// The head of a file: the names of its tensors, and torchvision's.
pub(super) struct Found {
    /// The name of its module.
    pub(super) at: String,
    pub(super) names: Vec<(String, String)>,
}

/// A module outside of the backbone: the shapes of its tensors by their last names.
type Tensors<'a> = BTreeMap<&'a str, &'a [usize]>;

/// Finds the head among the names outside of the backbone: fully connected layers and batch norms that follow each other, from
/// `features`, or twice as many, to the logits. `None` if no module begins like one.
pub(super) fn find(weights: &Weights, names: &[&str], features: usize) -> Result<Option<Found>> {
    let mut modules: BTreeMap<&str, Tensors<'_>> = BTreeMap::new();
    for name in names {
        if let (Some((module, tensor)), Some(shape)) = (name.rsplit_once('.'), weights.shape(name)) {
            modules.entry(module).or_default().insert(tensor, shape);
        }
    }
    // The layers of a Sequential by its name; any other module stands alone.
    let mut groups: BTreeMap<&str, Vec<(usize, &str)>> = BTreeMap::new();
    for &module in modules.keys() {
        let (parent, last) = module.rsplit_once('.').unwrap_or(("", module));
        match last.parse::<usize>() {
            Ok(index) if index < usize::MAX => groups.entry(parent).or_default().push((index, module)),
            _ => groups.entry(module).or_default().push((0, module)),
        }
    }
    let mut heads: Vec<Found> = Vec::new();
    for (at, mut layers) in groups {
        layers.sort();
        if is_chain(&layers, &modules, features) {
            let single = layers.len() == 1;
            let name = |module: &str, index: usize, tensor: &str| {
                let to = if single { format!("fc.{tensor}") } else { format!("fc.{index}.{tensor}") };
                (format!("{module}.{tensor}"), to)
            };
            let names = layers
                .iter()
                .flat_map(|&(index, module)| modules[module].keys().map(move |tensor| name(module, index, tensor)));
            // What a Sequential at the top of a file has no name.
            let at = if at.is_empty() { layers[0].1 } else { at };
            heads.push(Found { at: at.to_owned(), names: names.collect() });
        }
    }
    let last = |at: &str| at.rsplit('.').next().unwrap_or(at).to_owned();
    if heads.len() > 1 && heads.iter().filter(|head| USUAL.contains(&&last(&head.at)[..])).count() == 1 {
        heads.retain(|head| USUAL.contains(&&last(&head.at)[..]));
    }
    match heads.len() {
        0 => Ok(None),
        1 => check_nothing_follows(weights, &heads[0], &modules).map(|()| heads.pop()),
        _ => {
            let file = weights.name();
            let heads: Vec<&str> = heads.iter().map(|head| &head.at[..]).collect();
            Err(Error::input(format!(
                "{file}: several modules could be its head: {}. Remove all but one from the file, or export the network as an \
                 ONNX model",
                listed(&heads)
            )))
        }
    }
}

/// Checks that no other module takes as many inputs as the head has outputs: it may come after it.
fn check_nothing_follows(weights: &Weights, head: &Found, modules: &BTreeMap<&str, Tensors<'_>>) -> Result<()> {
    let is_own =
        |module: &str| head.names.iter().any(|(from, _)| from.rsplit_once('.').is_some_and(|(own, _)| own == module));
    let weight = |module: &str| modules.get(module)?.get("weight").copied();
    let last =
        head.names.iter().rev().find_map(|(from, _)| weight(from.rsplit_once('.')?.0).filter(|shape| shape.len() == 2));
    let Some(&[outputs, _]) = last else { return Ok(()) };
    let follows = modules
        .keys()
        .find(|module| !is_own(module) && matches!(weight(module), Some([_, inputs]) if *inputs == outputs));
    let Some(follows) = follows else { return Ok(()) };
    let (file, head, follows) = (weights.name(), shown(&head.at), shown(follows));
    Err(Error::input(format!(
        "{file}: `{follows}` may come after `{head}`, whose {outputs} outputs it can take, but the file does not say so: export the \
         network as an ONNX model"
    )))
}

/// Whether layers follow each other from the features on, and end with a fully connected one.
fn is_chain(layers: &[(usize, &str)], modules: &BTreeMap<&str, Tensors<'_>>, features: usize) -> bool {
    let mut width = None;
    let mut ends = false;
    for (_, module) in layers {
        let tensors = &modules[module];
        let (inputs, outputs) = match tensors.get("weight") {
            Some(&&[outputs, inputs]) => (inputs, outputs),
            Some(&&[channels]) if tensors.contains_key("running_mean") => (channels, channels),
            _ => return false,
        };
        let fits = match width {
            None => features > 0 && (inputs == features || Some(inputs) == features.checked_mul(2)),
            Some(width) => inputs == width,
        };
        if !fits {
            return false;
        }
        (width, ends) = (Some(outputs), tensors["weight"].len() == 2);
    }
    ends
}
