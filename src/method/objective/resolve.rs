//! Resolves an objective in a network: looks up its classes and modules, and checks channels and positions.

use std::path::Path;
use std::sync::Arc;

use super::Objective;
use super::pointed::Fault;
use super::term::{At, Direction, Unit};
use crate::digest::sha256_hex;
use crate::graph::NodeId;
use crate::networks::{Network, Semantics};
use crate::shape::Shape;
use crate::tensor_file::Tensors;
use crate::{Error, Result};

/// The value of a class that a term uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::method) enum Form {
    Logit,
    Probability,
    LogProbability,
}

/// A term on the logits.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::method) struct LogitTerm {
    pub(in crate::method) form: Form,
    pub(in crate::method) class: usize,
    pub(in crate::method) weight: f64,
}

/// The part of a module's output that a term uses.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::method) enum ModuleUnit {
    Channel(usize),
    /// A channel, and a position in its plane.
    Neuron(usize, usize),
    Direction(Arc<[f32]>),
    Layer,
    Diversity,
}

/// A term on a module's output.
#[derive(Clone, Debug, PartialEq)]
pub(in crate::method) struct FeatureTerm {
    pub(in crate::method) node: NodeId,
    pub(in crate::method) feature: ModuleUnit,
    pub(in crate::method) weight: f64,
}

/// The terms of an objective, resolved in a network.
#[derive(Clone, Debug, PartialEq)]
pub struct ResolvedObjective {
    /// The terms on the logits; none for [`Objective::class`].
    pub(in crate::method) logits: Vec<LogitTerm>,
    /// The terms on modules.
    pub(in crate::method) features: Vec<FeatureTerm>,
    /// Whether it is [`Objective::class`].
    pub(in crate::method) class: bool,
}

impl ResolvedObjective {
    /// Whether two objectives differ only in numbers (weights, classes, channels, positions, directions). One plan then computes both.
    pub fn same_form(&self, other: &Self) -> bool {
        let logits = |all: &Self| all.logits.iter().map(|term| term.form).collect::<Vec<_>>();
        let kind = |term: &FeatureTerm| (term.node, std::mem::discriminant(&term.feature));
        let features = |all: &Self| all.features.iter().map(kind).collect::<Vec<_>>();
        self.class == other.class && logits(self) == logits(other) && features(self) == features(other)
    }

    /// Whether it is [`Objective::class`].
    pub fn is_class(&self) -> bool {
        self.class
    }

    /// Whether it has a term on a position of a module.
    pub(in crate::method) fn has_position(&self) -> bool {
        self.features.iter().any(|term| matches!(term.feature, ModuleUnit::Neuron(..)))
    }

    /// Whether it has a `diversity` term, so that each image depends on the others in its batch.
    pub fn is_diverse(&self) -> bool {
        self.features.iter().any(|term| term.feature == ModuleUnit::Diversity)
    }
}

/// Resolves the objectives of a batch, one for each of `jobs` images.
///
/// # Errors
/// If an objective does not suit the network, or they do not have the same form.
pub(in crate::method) fn resolve_all(
    network: &Network,
    objectives: &[Objective],
    jobs: usize,
) -> Result<Vec<ResolvedObjective>> {
    if objectives.len() != jobs {
        return Err(Error::input(format!("there are {} objectives for {jobs} images", objectives.len())));
    }
    let resolved = objectives.iter().map(|objective| objective.resolve(network)).collect::<Result<Vec<_>>>()?;
    for (one, objective) in resolved.iter().zip(objectives) {
        if !one.same_form(&resolved[0]) {
            let first = &objectives[0];
            return Err(Error::input(format!(
                "`{objective}` and `{first}` cannot share a batch: their terms may differ only in numbers"
            )));
        }
    }
    Ok(resolved)
}

impl Objective {
    /// Resolves the objective in a network. Call [`Objective::with_files`] first if a direction is a file.
    ///
    /// # Errors
    /// If a class, module, channel or position does not exist, or a direction does not suit its module. The message points into the
    /// text.
    pub fn resolve(&self, network: &Network) -> Result<ResolvedObjective> {
        self.terms_in(network).map_err(|fault| fault.pointed(&self.text))
    }

    /// The class, if the objective is the logit of a class and nothing else.
    ///
    /// # Errors
    /// If the network does not have the class.
    pub fn lone_class(&self, network: &Network) -> Result<Option<usize>> {
        let class = self.lone_logit().map(|name| class_of(network, name)).transpose();
        class.map_err(|fault| fault.pointed(&self.text))
    }

    /// The same objective with the contents of its direction files, and their SHA-256 for records. `read` reads a file.
    ///
    /// # Errors
    /// If a file cannot be read, does not have the SHA-256 in the objective, or does not contain exactly one tensor.
    pub fn with_files(&self, read: impl Fn(&Path) -> Result<Vec<u8>>) -> Result<Self> {
        let mut read_in = self.clone();
        for term in &mut read_in.terms {
            if let Unit::Direction(_, At { value: Direction::File { path, sha256, numbers }, at }) = &mut term.unit {
                let fault = |what: String| Fault::new(*at, what).pointed(&self.text);
                let bytes = read(path).map_err(|error| fault(error.to_string()))?;
                let found = sha256_hex(&bytes);
                let about = |what: String| fault(format!("{}: {what}", path.display()));
                if let Some(wanted) = sha256.as_ref().filter(|&wanted| *wanted != found) {
                    return Err(about(format!("the file has changed (sha256 {found}, not {wanted})")));
                }
                let tensor = Tensors::from_bytes(&bytes).and_then(Tensors::only);
                *numbers = Some(tensor.map_err(|error| about(error.to_string()))?.1.into());
                *sha256 = Some(found);
            }
        }
        Ok(read_in)
    }

    fn terms_in(&self, network: &Network) -> std::result::Result<ResolvedObjective, Fault> {
        self.check()?;
        let mut resolved = ResolvedObjective { logits: Vec::new(), features: Vec::new(), class: self.is_class() };
        for term in &self.terms {
            let weight = term.weight;
            let mut logit = |form, name, weight| {
                resolved.logits.push(LogitTerm { form, class: class_of(network, name)?, weight });
                Ok(())
            };
            let (module, feature) = match &term.unit {
                Unit::Class => continue,
                Unit::Logit(name) => {
                    logit(Form::Logit, name, weight)?;
                    continue;
                }
                Unit::Probability(name) => {
                    logit(Form::Probability, name, weight)?;
                    continue;
                }
                Unit::LogProbability(name) => {
                    logit(Form::LogProbability, name, weight)?;
                    continue;
                }
                // For two probabilities p and q, log(p/q) is the difference of the logits.
                Unit::LogOdds(of, against) => {
                    logit(Form::Logit, of, weight)?;
                    logit(Form::Logit, against, -weight)?;
                    continue;
                }
                Unit::Channel(module, channel) => (module, Some((channel, None))),
                Unit::Neuron(module, channel, place) => (module, Some((channel, Some(place)))),
                Unit::Direction(module, _) | Unit::Layer(module) | Unit::Diversity(module) => (module, None),
            };
            let (node, shape) = node_of(network, module)?;
            let feature = match (&term.unit, feature) {
                (_, Some((channel, place))) => {
                    let channel = within(channel, shape.c(), &format!("{} has", module.value), "channels")?;
                    place.map_or(Ok(ModuleUnit::Channel(channel)), |place| {
                        neuron(&module.value, shape, channel, place)
                    })?
                }
                (Unit::Direction(_, from), _) => ModuleUnit::Direction(direction(&module.value, shape, from)?),
                (Unit::Diversity(_), _) => ModuleUnit::Diversity,
                _ => ModuleUnit::Layer,
            };
            resolved.features.push(FeatureTerm { node, feature, weight });
        }
        Ok(resolved)
    }
}

fn class_of(network: &Network, name: &At<String>) -> std::result::Result<usize, Fault> {
    network.labels().find(&name.value).map_err(|error| Fault::new(name.at, error.to_string()))
}

fn node_of(network: &Network, module: &At<String>) -> std::result::Result<(NodeId, Shape), Fault> {
    let found = network.module(&module.value).map_err(|error| Fault::new(module.at, error.to_string()))?;
    let node = found.node(Semantics::Snapshot);
    Ok((node, network.graph().node(node).shape))
}

/// The number, if it is below `count`.
fn within(number: &At<usize>, count: usize, has: &str, what: &str) -> std::result::Result<usize, Fault> {
    if number.value < count {
        return Ok(number.value);
    }
    Err(Fault::new(number.at, format!("{has} {count} {what}, counted from 0 to {}", count - 1)))
}

fn neuron(
    module: &str,
    shape: Shape,
    channel: usize,
    place: &Option<[At<usize>; 2]>,
) -> std::result::Result<ModuleUnit, Fault> {
    let (has, width) = (format!("each channel of {module} has"), shape.w());
    let [row, column] = match place {
        Some([row, column]) => [within(row, shape.h(), &has, "rows")?, within(column, width, &has, "columns")?],
        None => [shape.h() / 2, width / 2],
    };
    Ok(ModuleUnit::Neuron(channel, row * width + column))
}

fn direction(module: &str, shape: Shape, from: &At<Direction>) -> std::result::Result<Arc<[f32]>, Fault> {
    let fault = |what: String| Fault::new(from.at, what);
    let numbers: Arc<[f32]> = match &from.value {
        Direction::Numbers(numbers) => numbers.as_slice().into(),
        Direction::File { numbers: Some(numbers), .. } => Arc::clone(numbers),
        Direction::File { path, .. } => return Err(fault(format!("the file {} was not read", path.display()))),
    };
    if numbers.len() != shape.c() {
        return Err(fault(format!(
            "{module} has {} channels, but the direction has {} numbers",
            shape.c(),
            numbers.len()
        )));
    }
    if numbers.iter().all(|&number| number == 0.0) {
        return Err(fault("the direction is all zeros".into()));
    }
    Ok(numbers)
}
