//! The terms of a run, what they read of the network, and their part of a step as commands.

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

/// All terms of a batch, in the order in which their losses are added up.
pub(super) struct Terms {
    terms: Vec<(Arc<dyn LossTerm>, Vec<Source>)>,
    /// The nodes that they read.
    nodes: Vec<NodeId>,
}

impl Terms {
    /// The baseline, the objective, the regularisers that settings ask for, and those of the host.
    ///
    /// # Errors
    /// If one reads what the network does not have, or both the image and nodes.
    pub(super) fn new(
        network: &Network,
        settings: &Settings,
        classes: Vec<usize>,
        objectives: Vec<ResolvedObjective>,
        own: Vec<Arc<dyn LossTerm>>,
    ) -> Result<Self> {
        let objective: Arc<dyn LossTerm> = if objectives.iter().all(ResolvedObjective::is_class) {
            Arc::new(ClassLogit { classes, logsumexp_weight: settings.logsumexp_weight })
        } else {
            Arc::new(Weighted { objectives })
        };
        let all = baseline(settings).into_iter().chain([objective]).chain(regularizers(settings, network)).chain(own);
        let (mut terms, mut nodes) = (Vec::new(), Vec::new());
        for term in all {
            let sources = term.reads(network)?;
            if sources.is_empty() || sources.len() > 1 && sources.contains(&Source::Image) {
                let what = "a term reads the image alone, or one node of the network or more";
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

    /// The network as far as the terms read it; `fused` is the whole of it, fused.
    pub(super) fn graph(&self, network: &Network, fused: &Graph) -> Result<Graph> {
        let whole = network.graph();
        if self.nodes == [whole.output()] {
            return Ok(fused.clone());
        }
        whole.truncated(&self.nodes).fused()
    }

    /// Whether all images must go through the network together.
    pub(super) fn compare_images(&self) -> bool {
        self.terms.iter().any(|(term, _)| term.compares_images())
    }

    /// Number of terms.
    pub(super) fn len(&self) -> usize {
        self.terms.len()
    }

    /// The weights of a stretch of steps, `[terms,window]`, of which it may be the beginning.
    pub(super) fn weights(&self, settings: &Settings, steps: Range<u64>, window: usize) -> Vec<f32> {
        let row = |term: &Arc<dyn LossTerm>| -> Vec<f32> {
            let mut row: Vec<f32> = steps.clone().map(|step| term.weight(settings.moment(step)) as f32).collect();
            row.resize(window, 0.0);
            row
        };
        self.terms.iter().flat_map(|(term, _)| row(term)).collect()
    }

    /// Room for the values of some images, `x` being the images and `graph` what [`Terms::graph`] gave.
    pub(super) fn ledger(&self, step: &Step, rec: &mut Recording, x: Tensor) -> Result<Ledger> {
        let shape = |source: &Source| match source {
            Source::Image => x.shape,
            Source::Node(node) => step.graph.node(self.in_graph(step.graph, *node)).shape,
        };
        let columns =
            self.terms.iter().map(|(term, sources)| term.columns(&sources.iter().map(shape).collect::<Vec<_>>()));
        Ledger::new(rec, step.clock, step.weights, x.shape.n(), &columns.collect::<Vec<_>>())
    }

    /// Where a node of the network is in what [`Terms::graph`] gave, maybe without its first node.
    fn in_graph(&self, graph: &Graph, node: NodeId) -> NodeId {
        let at = self.nodes.iter().position(|of| *of == node);
        at.and_then(|at| graph.outputs().get(at).copied()).unwrap_or(graph.output())
    }

    /// Appends the network's forward, the terms on its nodes, and its backward, for what the network is shown; gives the gradient of
    /// that.
    pub(super) fn through_network(
        &self,
        step: &Step,
        rec: &mut Recording,
        ledger: &Ledger,
        images: Range<usize>,
        input: Tensor,
    ) -> Result<Tensor> {
        let acts = step.graph.record_forward(rec, step.choices, input, Retain::Needed)?;
        // Of each node that is read: it, its output in a buffer, and the gradient of that once a term has delivered one.
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
                        open.push((id, in_buffer(rec, name, acts.of(id))?, None));
                        open.len() - 1
                    }
                };
                let (_, x, dx) = &mut open[at];
                let accumulates = dx.is_some();
                let dx = *dx.get_or_insert_with(|| Tensor::transient(rec, &format!("{name} d"), x.shape));
                reads.push(Read { x: *x, dx, accumulates });
            }
            if !reads.is_empty() {
                term.record(rec, &ledger.slot(i), images.clone(), &reads)?;
            }
        }
        let seeds: Vec<_> = open.into_iter().filter_map(|(id, _, dx)| dx.map(|dx| (id, dx))).collect();
        step.graph.record_backward_of(rec, step.choices, &acts, &seeds)
    }

    /// Appends the terms on the image, whose gradient `dx` holds that of the others.
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

/// The term of the baseline stage, if there is such a stage.
fn baseline(settings: &Settings) -> Option<Arc<dyn LossTerm>> {
    let term = ProbabilityVariance { form: settings.baseline_form, weight: settings.baseline_weight };
    (settings.baseline_steps > 0).then(|| Arc::new(term) as Arc<dyn LossTerm>)
}

/// The regularisers that settings ask for: the total variation, whose column is there whatever its weight, then those of the
/// table.
fn regularizers(settings: &Settings, network: &Network) -> impl Iterator<Item = Arc<dyn LossTerm>> {
    let Settings { tv_form: form, tv_weight: weight, tv_start: start, .. } = *settings;
    let variation: Arc<dyn LossTerm> = Arc::new(TotalVariation { form, weight, start });
    std::iter::once(variation).chain(settings.regularizers.terms(network).map(Arc::from))
}

/// The weights at a step of the terms that settings alone decide, which are all but a host's: what goes on from a checkpoint must have
/// had the same.
pub(super) fn weights_of(settings: &Settings, network: &Network, step: u64) -> Vec<f32> {
    let at = settings.moment(step);
    let terms = baseline(settings).into_iter().chain(regularizers(settings, network));
    terms.map(|term| term.weight(at) as f32).collect()
}

/// What a step's terms are recorded with.
pub(super) struct Step<'a> {
    /// What [`Terms::graph`] gave, maybe without its first node.
    pub(super) graph: &'a Graph,
    pub(super) choices: &'a ConvAlgorithms,
    pub(super) clock: Clock,
    /// `[terms,steps]`.
    pub(super) weights: TensorId,
}

/// A tensor as `[N,C,H,W]` in a buffer.
fn in_buffer(rec: &mut Recording, label: &str, x: Tensor) -> Result<Tensor> {
    if x.format == Format::Nchw {
        return Ok(x);
    }
    let y = Tensor::transient(rec, &format!("{label} x"), x.shape);
    unpack(rec, label, x, y, GradEpilogue::default(), false)?;
    Ok(y)
}
