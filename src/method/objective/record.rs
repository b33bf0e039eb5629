//! An objective's part of a step as commands: the network up to the last module that counts, the terms, and the way back.

use super::resolve::{self, FeatureTerm, Form, LogitTerm, ResolvedObjective};
use crate::Result;
use crate::gpu::{Plan, Recording, TensorId};
use crate::graph::{Activations, Graph, NodeId, Retain};
use crate::method::Settings;
use crate::networks::Network;
use crate::ops::{
    ConvAlgorithms, Diversity, Feature, FeatureRow, Format, GradEpilogue, LogitRow, Objective, Schedule, Tensor, total,
    unpack,
};

/// A node, and the gradient of its output.
type Seed = (NodeId, Tensor);

/// What the numbers of a term on a module are written to: its rows, and its directions if it has any.
type Rows = (TensorId, Option<TensorId>);

/// What each image's own numbers are written to.
pub(in crate::method) struct Numbers {
    /// `[N]` of u32.
    class_of: TensorId,
    /// `[N,T]` of [`LogitRow`].
    logits: TensorId,
    /// For each term on a module `[N]` of [`FeatureRow`], and of directions `[N,C]`.
    features: Vec<Rows>,
}

impl ResolvedObjective {
    /// Whether a step needs the logits.
    fn needs_logits(&self, settings: &Settings) -> bool {
        self.class || !self.logits.is_empty() || settings.baseline_steps > 0
    }

    /// What of a network a step runs, fused. Its ends are the modules of the terms, in their order, and then the logits if both
    /// are needed.
    pub(in crate::method) fn graph(&self, network: &Network, settings: &Settings) -> Result<Graph> {
        let whole = network.graph();
        if self.features.is_empty() {
            return whole.fused();
        }
        let logits = self.needs_logits(settings).then(|| whole.output());
        let ends: Vec<NodeId> = self.features.iter().map(|term| term.node).chain(logits).collect();
        whole.truncated(&ends).fused()
    }
}

/// What a step's part is recorded with.
pub(in crate::method) struct Step<'a> {
    /// What [`ResolvedObjective::graph`] gave, maybe without its first node.
    pub(in crate::method) graph: &'a Graph,
    pub(in crate::method) choices: &'a ConvAlgorithms,
    pub(in crate::method) settings: &'a Settings,
    /// What counts at the step.
    pub(in crate::method) now: Schedule,
    /// `[N,4]`: what the history is written from.
    pub(in crate::method) values: TensorId,
}

impl Step<'_> {
    /// Appends forward, terms and backward for what the network is shown, and gives the gradient of that.
    pub(in crate::method) fn record(
        &self,
        rec: &mut Recording,
        aim: &ResolvedObjective,
        input: Tensor,
    ) -> Result<(Tensor, Numbers)> {
        let n = input.shape.n();
        let acts = self.graph.record_forward(rec, self.choices, input, Retain::Needed)?;
        let mut numbers = Numbers {
            class_of: rec.kept("class_of", n),
            logits: rec.kept("terms", LogitRow::LEN * (n * aim.logits.len()).max(1)),
            features: Vec::new(),
        };
        let mut seeds = Vec::new();
        if aim.needs_logits(self.settings) {
            seeds.push(self.logits(rec, aim, &acts, &numbers)?);
        }
        for (i, term) in aim.features.iter().enumerate() {
            let seeded = seeds.iter().position(|(id, _)| *id == self.graph.outputs()[i]);
            let before = seeded.map(|at| seeds.swap_remove(at).1);
            let first = i == 0 && !aim.needs_logits(self.settings);
            let (seed, own) = self.feature(rec, term, i, &acts, before, first)?;
            seeds.push(seed);
            numbers.features.push(own);
        }
        let dinput = self.graph.record_backward_of(rec, self.choices, &acts, &seeds)?;
        Ok((dinput, numbers))
    }

    fn logits(
        &self,
        rec: &mut Recording,
        aim: &ResolvedObjective,
        acts: &Activations,
        numbers: &Numbers,
    ) -> Result<Seed> {
        let id = self.graph.outputs().last().copied().unwrap_or(self.graph.output());
        let logits = in_buffer(rec, "logits", acts.of(id))?;
        let dlogits = Tensor::transient(rec, "dlogits", logits.shape);
        let objective = Objective { pv_form: self.settings.pv_form, rivals: self.settings.rivals };
        if aim.class {
            objective.step(rec, logits, numbers.class_of, self.now, dlogits, self.values)?;
        } else {
            let terms = (numbers.logits, aim.logits.len());
            objective.weighted(rec, logits, terms, self.now, dlogits, self.values)?;
        }
        Ok((id, dlogits))
    }

    /// A term's value, and the gradient of its module with what came `before`; and what its numbers are written to.
    fn feature(
        &self,
        rec: &mut Recording,
        term: &FeatureTerm,
        i: usize,
        acts: &Activations,
        before: Option<Tensor>,
        first: bool,
    ) -> Result<(Seed, Rows)> {
        let id = self.graph.outputs()[i];
        let label = &format!("term {} ({})", i + 1, self.graph.node(id).name);
        let x = in_buffer(rec, label, acts.of(id))?;
        let [n, c, ..] = x.shape.nchw();
        let rows = rec.kept(format!("{label} rows"), FeatureRow::LEN * n);
        let dx = Tensor::transient(rec, &format!("{label} dx"), x.shape);
        let sink = GradEpilogue { add: before.map(|t| t.id), mask: None };
        if term.feature == resolve::Feature::Diversity {
            let partial = rec.transient(format!("{label} parts"), n * n);
            let diversity = Diversity::value(rec, label, x, partial)?;
            total(rec, label, [n, n], [partial, rows, self.values], first)?;
            diversity.gradient(rec, label, [x, dx], rows, self.now, sink)?;
            return Ok(((id, dx), (rows, None)));
        }
        let mut vectors = None;
        let feature = match &term.feature {
            resolve::Feature::Direction(_) => {
                Feature::Direction(*vectors.insert(rec.kept(format!("{label} directions"), n * c)))
            }
            resolve::Feature::Neuron(..) => Feature::Neuron,
            resolve::Feature::Layer => Feature::Layer,
            _ => Feature::Channel,
        };
        let partial = rec.transient(format!("{label} parts"), n * c);
        feature.value(rec, label, x, rows, partial)?;
        total(rec, label, [n, c], [partial, rows, self.values], first)?;
        feature.gradient(rec, label, [x, dx], rows, self.now, sink)?;
        Ok(((id, dx), (rows, vectors)))
    }
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

impl Numbers {
    /// Writes those of each image; all are of the form that was recorded.
    pub(in crate::method) fn write(&self, plan: &Plan, classes: &[u32], aims: &[ResolvedObjective]) -> Result<()> {
        plan.write(self.class_of, classes)?;
        let logits: Vec<LogitRow> = aims.iter().flat_map(|aim| aim.logits.iter().map(logit_row)).collect();
        if !logits.is_empty() {
            plan.write(self.logits, &logits)?;
        }
        for (i, (rows, vectors)) in self.features.iter().enumerate() {
            let terms = || aims.iter().map(|aim| &aim.features[i]);
            plan.write(*rows, &terms().map(feature_row).collect::<Vec<_>>())?;
            if let Some(vectors) = vectors {
                let of = |term: &FeatureTerm| match &term.feature {
                    resolve::Feature::Direction(v) => v.to_vec(),
                    _ => Vec::new(),
                };
                plan.write(*vectors, &terms().flat_map(of).collect::<Vec<f32>>())?;
            }
        }
        Ok(())
    }
}

fn logit_row(term: &LogitTerm) -> LogitRow {
    let form = match term.form {
        Form::Logit => 0,
        Form::Probability => 1,
        Form::LogProbability => 2,
    };
    LogitRow { weight: term.weight as f32, class: term.class as u32, form }
}

fn feature_row(term: &FeatureTerm) -> FeatureRow {
    let (channel, place) = match term.feature {
        resolve::Feature::Channel(channel) => (channel, 0),
        resolve::Feature::Neuron(channel, place) => (channel, place),
        _ => (0, 0),
    };
    FeatureRow { weight: term.weight as f32, channel: channel as u32, place: place as u32 }
}
