//! The terms of a run: which there are, what they read, and their commands.

use std::ops::Range;
use std::sync::Arc;

use super::losses::{ClassLogit, Ledger, LossTerm, ProbabilityVariance, Read, Source, TotalVariation, Weighted};
use super::objective::ResolvedObjective;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::gpu::{Recording, TensorId};
use crate::graph::{Graph, NodeId, Retain};
use crate::networks::Network;
use crate::ops::{Clock, ConvAlgorithms, Format, GradEpilogue, Tensor, unpack};

/// All terms of a batch, in the order in which their losses are added.
pub(super) struct Terms {
    terms: Vec<(Arc<dyn LossTerm>, Vec<Source>)>,
    /// The nodes that the terms read, each once.
    nodes: Vec<NodeId>,
}

impl Terms {
    /// The baseline, the objective, the regularisers of the settings, and the terms of the host.
    ///
    /// # Errors
    /// If a term reads a module that the network does not have, or both the image and nodes.
    pub(super) fn new(
        network: &Network,
        settings: &Settings,
        classes: Vec<usize>,
        objectives: Vec<ResolvedObjective>,
        own: Vec<Arc<dyn LossTerm>>,
    ) -> Result<Self> {
        check_positions(settings, &objectives)?;
        let groups = groups(&classes, &objectives);
        let objective: Arc<dyn LossTerm> = if objectives.iter().all(ResolvedObjective::is_class) {
            Arc::new(ClassLogit { classes, logsumexp_weight: settings.logsumexp_weight })
        } else {
            Arc::new(Weighted { objectives })
        };
        let regularizers = regularizers(settings, network, &groups);
        let all = baseline(settings).into_iter().chain([objective]).chain(regularizers).chain(own);
        let (mut terms, mut nodes) = (Vec::new(), Vec::new());
        for term in all {
            let sources = term.reads(network)?;
            if sources.is_empty() || sources.len() > 1 && sources.contains(&Source::Image) {
                let what = "a term must read either the image, or one or more nodes of the network";
                return Err(Error::input(format!("{}: {what}", term.name())));
            }
            for source in &sources {
                if let Source::Node(node) = *source
                    && !nodes.contains(&node)
                {
                    nodes.push(node);
                }
            }
            terms.push((term, sources));
        }
        Ok(Self { terms, nodes })
    }

    /// The fused network up to the last node that a term reads; `fused` is the whole network, fused.
    pub(super) fn graph(&self, network: &Network, fused: &Graph) -> Result<Graph> {
        let whole = network.graph();
        if self.nodes == [whole.output()] {
            return Ok(fused.clone());
        }
        whole.truncated(&self.nodes).fused()
    }

    /// Whether a term compares images, so that all must go through the network together.
    pub(super) fn compare_images(&self) -> bool {
        self.terms.iter().any(|(term, _)| term.compares_images())
    }

    /// The number of terms.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The weights at some steps, `[terms,window]`; those of missing steps at the end are 0.
    pub(super) fn weights(&self, settings: &Settings, steps: Range<u64>, window: usize) -> Vec<f32> {
        let row = |term: &Arc<dyn LossTerm>| -> Vec<f32> {
            let mut row: Vec<f32> = steps.clone().map(|step| term.weight(settings.moment(step)) as f32).collect();
            row.resize(window, 0.0);
            row
        };
        self.terms.iter().flat_map(|(term, _)| row(term)).collect()
    }

    /// A ledger for the values of the images `x`.
    pub(super) fn ledger(&self, step: &Step, rec: &mut Recording, x: Tensor) -> Result<Ledger> {
        let shape = |source: &Source| match source {
            Source::Image => x.shape,
            Source::Node(node) => step.graph.node(self.in_graph(step.graph, *node)).shape,
        };
        let columns =
            self.terms.iter().map(|(term, sources)| term.columns(&sources.iter().map(shape).collect::<Vec<_>>()));
        Ledger::new(rec, step.clock, step.weights, x.shape.n(), &columns.collect::<Vec<_>>())
    }

    /// The node of `graph`, from [`Terms::graph`], that corresponds to a node of the network. `graph` may lack its first node.
    fn in_graph(&self, graph: &Graph, node: NodeId) -> NodeId {
        let at = self.nodes.iter().position(|of| *of == node);
        at.and_then(|at| graph.outputs().get(at).copied()).unwrap_or(graph.output())
    }

    /// How often terms read a node.
    fn readers(&self, node: NodeId) -> usize {
        self.terms.iter().flat_map(|(_, sources)| sources).filter(|source| **source == Source::Node(node)).count()
    }

    /// Appends the network's forward, the terms on its nodes, and its backward. Returns the gradient of `input`.
    pub(super) fn through_network(
        &self,
        step: &Step,
        rec: &mut Recording,
        ledger: &Ledger,
        images: Range<usize>,
        input: Tensor,
    ) -> Result<Tensor> {
        let acts = step.graph.record_forward(rec, step.algorithms, input, Retain::Needed)?;
        // For each node that was read: the node, its output in a buffer, and the gradient, once a term has delivered one.
        let mut open: Vec<(NodeId, Tensor, Option<Tensor>)> = Vec::new();
        for (i, (term, sources)) in self.terms.iter().enumerate() {
            let mut reads = Vec::new();
            for source in sources {
                let Source::Node(node) = *source else { continue };
                let id = self.in_graph(step.graph, node);
                let name = &step.graph.node(id).name;
                let at = match open.iter().position(|(of, ..)| *of == id) {
                    Some(at) => at,
                    None => {
                        let as_it_is = term.takes_texels() && self.readers(node) == 1;
                        let x = if as_it_is { acts.of(id) } else { in_buffer(rec, name, acts.of(id))? };
                        open.push((id, x, None));
                        open.len() - 1
                    }
                };
                let (_, x, dx) = &mut open[at];
                let accumulates = dx.is_some();
                let dx = *dx.get_or_insert_with(|| x.like(rec, &format!("{name} d")));
                reads.push(Read { x: *x, dx, accumulates });
            }
            if !reads.is_empty() {
                term.record(rec, &ledger.slot(i), images.clone(), &reads)?;
            }
        }
        let seeds: Vec<_> = open.into_iter().filter_map(|(id, _, dx)| dx.map(|dx| (id, dx))).collect();
        step.graph.record_backward_of(rec, step.algorithms, &acts, &seeds)
    }

    /// Appends the terms on the image. They add to its gradient `dx`, which has the gradients of the other terms.
    pub(super) fn on_image(
        &self,
        rec: &mut Recording,
        ledger: &Ledger,
        images: Range<usize>,
        [x, dx]: [Tensor; 2],
    ) -> Result<()> {
        for (i, (term, sources)) in self.terms.iter().enumerate() {
            if sources[..] == [Source::Image] {
                term.record(rec, &ledger.slot(i), images.clone(), &[Read { x, dx, accumulates: true }])?;
            }
        }
        Ok(())
    }
}

/// A position of a module's output means another place in coarse steps, or none.
fn check_positions(settings: &Settings, objectives: &[ResolvedObjective]) -> Result<()> {
    if settings.coarse_fraction > 0.0 && objectives.iter().any(ResolvedObjective::has_position) {
        let why = "the objective names a position, and in coarse steps modules have fewer of them";
        return Err(Error::input(why).advised(": use {coarse_fraction} 0, or a channel without a position"));
    }
    Ok(())
}

/// The group of each image: the first image with the same class and objective.
fn groups(classes: &[usize], objectives: &[ResolvedObjective]) -> Vec<u32> {
    let goals: Vec<_> = classes.iter().zip(objectives).collect();
    goals.iter().map(|goal| goals.iter().position(|other| other == goal).unwrap_or(0) as u32).collect()
}

/// The term of the baseline stage, if there is such a stage.
fn baseline(settings: &Settings) -> Option<Arc<dyn LossTerm>> {
    let term = ProbabilityVariance { form: settings.baseline_form, weight: settings.baseline_weight };
    (settings.baseline_steps > 0).then(|| Arc::new(term) as Arc<dyn LossTerm>)
}

/// The regularisers of the settings: the total variation, which has its column even if its weight is 0, then those of the table.
fn regularizers(settings: &Settings, network: &Network, groups: &[u32]) -> impl Iterator<Item = Arc<dyn LossTerm>> {
    let Settings { tv_form: form, tv_weight: weight, tv_start: start, .. } = *settings;
    let variation: Arc<dyn LossTerm> = Arc::new(TotalVariation { form, weight, start });
    std::iter::once(variation).chain(settings.regularizers.terms(network, groups).map(Arc::from))
}

/// The weights of the baseline and the regularisers, which depend on settings, as a function of the step. A run continues from a
/// checkpoint only if they were the same.
pub(super) fn weights_of(settings: &Settings, network: &Network) -> impl Fn(u64) -> Vec<f32> {
    let terms: Vec<_> = baseline(settings).into_iter().chain(regularizers(settings, network, &[])).collect();
    move |step| {
        let at = settings.moment(step);
        terms.iter().map(|term| term.weight(at) as f32).collect()
    }
}

/// What the terms of a step share.
pub(super) struct Step<'a> {
    /// From [`Terms::graph`], perhaps without its first node.
    pub(super) graph: &'a Graph,
    pub(super) algorithms: &'a ConvAlgorithms,
    pub(super) clock: Clock,
    /// `[terms,steps]`.
    pub(super) weights: TensorId,
}

/// A tensor in a buffer, unpacked from texels if necessary.
fn in_buffer(rec: &mut Recording, label: &str, x: Tensor) -> Result<Tensor> {
    if x.format == Format::Nchw {
        return Ok(x);
    }
    let y = Tensor::transient(rec, &format!("{label} x"), x.shape);
    unpack(rec, label, x, y, GradEpilogue::default(), false)?;
    Ok(y)
}
