//! One step of the method, and the evaluation of the image, as commands.

use super::schedule::ScheduleRow;
use super::settings::Settings;
use crate::error::{Error, Result};
use crate::gpu::{Capabilities, Grid, Kernel, Recording, TensorId};
use crate::graph::Keep;
use crate::nets::Network;
use crate::ops::{Adam, AffineWarp, Objective, Tensor, TotalVariation};
use crate::shape::Shape;

use super::choices::Fill;

crate::params! {
    /// Mirrors `Params` of shaders/history.wgsl.
    struct HistoryParams { images: u32, partials: u32 }
}

/// Numbers that a step leaves behind for each image: loss, loss_hf, loss_pv, logit, probability.
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
    /// `[N]` of u32.
    pub(super) class_of: TensorId,
    /// `[WINDOW, N, RECORD_LEN]`.
    pub(super) history: TensorId,
    /// `[N, K, 1, 1]`; there after the section `evaluate`, until the next step.
    pub(super) logits: Tensor,
}

/// Appends the sections `step` and `evaluate` for `n` images.
pub(super) fn record(
    rec: &mut Recording,
    capabilities: Capabilities,
    network: &Network,
    settings: &Settings,
    n: usize,
    window: usize,
) -> Result<State> {
    let graph = network.graph().fused()?;
    let one = network.input();
    let shape = Shape::new(n, one.c(), one.h(), one.w());
    let classes = Shape::new(n, network.classes(), 1, 1);
    let mut state = State {
        image: Tensor::kept(rec, "image", shape),
        m: Tensor::kept(rec, "m", shape),
        v: Tensor::kept(rec, "v", shape),
        clock: rec.kept("clock", 1),
        schedule: rec.kept("schedule", window * ScheduleRow::LEN),
        theta: rec.kept("theta", window * n * 6),
        class_of: rec.kept("class_of", n),
        history: rec.kept("history", window * n * RECORD_LEN),
        logits: Tensor::transient(rec, "logits", classes),
    };
    let now = [state.schedule, state.clock];
    let fill = match settings.fill {
        Fill::Black => [0.0; 3],
        Fill::Mean => network.mean(),
        Fill::Rgb(rgb) => rgb,
    };
    if shape.c() != fill.len() {
        return Err(Error::input(format!("the network takes {} channels, and pictures have three", shape.c())));
    }
    let warp = AffineWarp { interpolation: settings.interpolation, fill: fill.to_vec() };
    let variation = TotalVariation { form: settings.hf_form };

    rec.section("step");
    let warped = Tensor::transient(rec, "warped", shape);
    warp.forward(rec, state.image, state.theta, state.clock, warped)?;
    let acts = graph.record_forward(rec, capabilities, warped, Keep::Needed)?;
    let dlogits = Tensor::transient(rec, "dlogits", classes);
    let values = rec.transient("values", 4 * n);
    let objective = Objective { pv_form: settings.pv_form };
    objective.step(rec, acts.of(graph.output()), state.class_of, now, dlogits, values)?;
    let dwarped = graph.record_backward(rec, capabilities, &acts, dlogits)?;
    let dimage = Tensor::transient(rec, "dimage", shape);
    warp.backward(rec, dwarped, state.theta, state.clock, dimage)?;
    let partials = variation.partials(shape);
    let partial = rec.transient("total_variation partial", n * partials);
    variation.value(rec, state.image, partial)?;
    variation.gradient(rec, state.image, now, dimage)?;
    let (beta1, beta2, eps, clamp) = (settings.beta1, settings.beta2, settings.eps, settings.clamp);
    Adam { beta1, beta2, eps, clamp }.step(rec, dimage, [state.image, state.m, state.v], now)?;
    end_step(rec, &state, n, window, [partial, values], partials)?;

    rec.section("evaluate");
    state.logits = graph.record_forward(rec, capabilities, state.image, Keep::Needed)?.of(graph.output());
    Ok(state)
}

/// Writes the losses and moves the clock.
fn end_step(
    rec: &mut Recording,
    state: &State,
    n: usize,
    window: usize,
    [partial, values]: [TensorId; 2],
    partials: usize,
) -> Result<()> {
    let params = HistoryParams { images: n as u32, partials: partials as u32 };
    let bindings = [
        ("partial", partial, n * partials),
        ("values", values, 4 * n),
        ("schedule", state.schedule, window * ScheduleRow::LEN),
        ("clock", state.clock, 1),
        ("history", state.history, window * n * RECORD_LEN),
    ];
    let grid = Grid::Workgroups([n, 1, 1]);
    rec.dispatch("history", Kernel::new("history", "write"), &bindings, &params, grid, (n * partials) as u64)?;
    let tick = [("ticking", state.clock, 1)];
    rec.dispatch(
        "history",
        Kernel::new("history", "tick"),
        &tick,
        &crate::gpu::NoParams,
        Grid::Workgroups([1, 1, 1]),
        0,
    )
}
