//! One step of the method, and the evaluation of the image, as commands.

use super::choices::Fill;
use super::objective::Resolved;
use super::objective::record::{Numbers, Step};
use super::schedule::ScheduleRow;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::gpu::{Grid, Kernel, NoParams, Recording, TensorId};
use crate::graph::Keep;
use crate::nets::Network;
use crate::ops::{Adam, AffineWarp, Choices, Tensor, TotalVariation};
use crate::shape::Shape;

crate::params! {
    /// Mirrors `Params` of shaders/history.wgsl.
    struct HistoryParams { images: u32, partials: u32 }
}

/// Numbers that a step leaves behind for each image: loss, loss_hf, loss_pv, logit, probability; or in place of the last two
/// the objective's value and nothing.
pub(super) const RECORD_LEN: usize = 5;

/// Most steps whose schedule and losses are on the adapter at once.
pub(super) const WINDOW: usize = 512;

/// The tensors that outlive a step.
pub(super) struct State {
    pub(super) image: Tensor,
    pub(super) m: Tensor,
    pub(super) v: Tensor,
    /// `[1]` of u32: the step within the window.
    pub(super) clock: TensorId,
    /// `[WINDOW]` rows.
    pub(super) schedule: TensorId,
    /// `[WINDOW, N, 6]`.
    pub(super) theta: TensorId,
    /// What the images' objectives differ in.
    pub(super) numbers: Numbers,
    /// `[WINDOW, N, RECORD_LEN]`.
    pub(super) history: TensorId,
    /// `[N, K, 1, 1]`; there after the section `evaluate`, until the next step.
    pub(super) logits: Tensor,
}

/// Appends the sections `step` and `evaluate` for `n` images with objectives of the form of `aim`.
pub(super) fn record(
    rec: &mut Recording,
    choices: &Choices,
    network: &Network,
    settings: &Settings,
    aim: &Resolved,
    n: usize,
    window: usize,
) -> Result<State> {
    let graph = network.graph().fused()?;
    // The warp normalizes as it writes; the image that is evaluated is not warped.
    let seen = aim.graph(network, settings)?;
    let (normalize, warped_graph) = seen.without_normalize().map_or((None, seen.clone()), |(n, g)| (Some(n), g));
    let one = network.input();
    let shape = Shape::new(n, one.c(), one.h(), one.w());
    let [image, m, v] = ["image", "m", "v"].map(|name| Tensor::kept(rec, name, shape));
    let clock = rec.kept("clock", 1);
    let schedule = rec.kept("schedule", window * ScheduleRow::LEN);
    let theta = rec.kept("theta", window * n * 6);
    let history = rec.kept("history", window * n * RECORD_LEN);
    let now = [schedule, clock];
    let fill = match settings.fill {
        Fill::Black => [0.0; 3],
        Fill::Mean => network.expects().mean_colour(),
        Fill::Rgb(rgb) => rgb,
    };
    if shape.c() != fill.len() {
        return Err(Error::input(format!("the network takes {} channels, and pictures have three", shape.c())));
    }
    let warp = AffineWarp { interpolation: settings.interpolation, fill: fill.to_vec(), normalize };
    let variation = TotalVariation { form: settings.hf_form };

    rec.section("step");
    let warped = Tensor::transient(rec, "warped", shape);
    warp.forward(rec, image, theta, clock, warped)?;
    let values = rec.transient("values", 4 * n);
    let step = Step { graph: &warped_graph, choices, settings, now, values };
    let (dwarped, numbers) = step.record(rec, aim, warped)?;
    let dimage = Tensor::transient(rec, "dimage", shape);
    warp.backward(rec, dwarped, theta, clock, dimage)?;
    let partials = variation.partials(shape);
    let partial = rec.transient("total_variation partial", n * partials);
    variation.step(rec, image, now, partial, dimage)?;
    let (beta1, beta2, eps, clamp) = (settings.beta1, settings.beta2, settings.eps, settings.clamp);
    let decay = settings.lr * settings.weight_decay;
    Adam { beta1, beta2, eps, clamp, decay, towards: network.expects().mean_colour() }.step(
        rec,
        dimage,
        [image, m, v],
        now,
    )?;
    let params = HistoryParams { images: n as u32, partials: partials as u32 };
    let bindings = [
        ("partial", partial, n * partials),
        ("values", values, 4 * n),
        ("schedule", schedule, window * ScheduleRow::LEN),
        ("clock", clock, 1),
        ("history", history, window * n * RECORD_LEN),
    ];
    let (write, tick) = (Kernel::new("history", "write"), Kernel::new("history", "tick"));
    rec.dispatch("history", write, &bindings, &params, Grid::Workgroups([n, 1, 1]), (n * partials) as u64)?;
    rec.dispatch("history", tick, &[("ticking", clock, 1)], &NoParams, Grid::Workgroups([1, 1, 1]), 0)?;

    rec.section("evaluate");
    let logits = graph.record_forward(rec, choices, image, Keep::Needed)?.of(graph.output());
    Ok(State { image, m, v, clock, schedule, theta, numbers, history, logits })
}
