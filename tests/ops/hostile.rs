//! The contents of a buffer never lead a kernel outside its tensors: neither the clock, nor classes, channels, positions, or the
//! extents of a map. A kernel clamps each to the nearest valid value, bit for bit, and the sentinels around every tensor survive.

use protogpu::gpu::{TensorId, bytemuck};
use protogpu::method::TvForm;
use protogpu::method::losses::{
    ClassLogit, ClassRow, ClassTerms, Column, Feature, FeatureRow, LossTerm, TotalVariation,
};
use protogpu::ops::{Adam, AdamRow, AffineWarp, Clock, Interpolation};

use crate::tests::harness::{Outcome, Ready, Rig, Table, exact, objective_columns};
use crate::tests::twin::Tensor;
use crate::tests::twin::random::Random;

/// Two steps. Rows past them would show, because they are NaN or zero.
const STEPS: usize = 2;

/// A term's weights at them.
fn weights() -> Vec<f32> {
    vec![0.5, 0.75]
}

/// The tensor bound to a variable of a kernel.
fn bound(ready: &Ready, name: &str) -> TensorId {
    ready.plan.recording().commands().iter().find_map(|command| command.tensor(name)).expect("a kernel binds it")
}

/// Clocks one past the end, and far past it.
const CLOCKS: [u32; 3] = [STEPS as u32, 1 << 30, u32::MAX];

/// Runs a kernel with a number, and returns its results.
type Run<'a> = &'a dyn Fn(u32) -> Outcome<Vec<Tensor>>;

/// Checks that each of `hostile` gives the results of `nearest`.
fn counts_as(table: &mut Table, name: &str, nearest: u32, hostile: &[u32], run: Run) {
    for &value in hostile {
        table.case(format!("{name} {value:#x}"), || {
            let (got, want) = (run(value)?, run(nearest)?);
            got.iter().zip(&want).try_for_each(|(got, want)| exact(name, got, want))
        });
    }
}

fn logits(class: u32, clock: u32) -> Outcome<Vec<Tensor>> {
    let mut rig = Rig::default();
    let read = rig.source(&Random(1).tensor([2, 10, 1, 1], -4.0, 4.0), None);
    let term = ClassLogit { classes: vec![3, 0], logsumexp_weight: 0.75 };
    let (ledger, _) = rig.ledger(2, &[term.columns(&[read.x.shape])], &[weights()], clock)?;
    term.record(&mut rig.rec, &ledger.slot(0), 0..2, &[read])?;
    ledger.write(&mut rig.rec)?;
    let ready = rig.ready()?;
    ready.plan.overwrite(bound(&ready, "class_of"), &[3, class]);
    ready.step()?;
    Ok(vec![ready.history(&ledger, 2, 0)?, ready.history(&ledger, 2, 1)?, ready.read(read.dx)?])
}

fn terms(class: u32, clock: u32) -> Outcome<Vec<Tensor>> {
    let mut rig = Rig::default();
    let read = rig.source(&Random(1).tensor([2, 10, 1, 1], -4.0, 4.0), None);
    let row = |class, form| ClassRow { weight: 0.5, class, form };
    let rows = |class| vec![row(3, 0), row(class, 1), row(class, 2), row(class, 0)];
    let (ledger, _) = rig.ledger(2, &[objective_columns()], &[weights()], clock)?;
    ClassTerms { rows: rows(0) }.step(&mut rig.rec, "terms", read, &ledger.slot(0))?;
    ledger.write(&mut rig.rec)?;
    let ready = rig.ready()?;
    ready.plan.overwrite(bound(&ready, "terms"), &rows(class));
    ready.step()?;
    Ok(vec![ready.history(&ledger, 2, 0)?, ready.history(&ledger, 2, 1)?, ready.read(read.dx)?])
}

/// The histories, then the gradient: a position that does not exist has none.
fn neuron(place: u32, clock: u32) -> Outcome<Vec<Tensor>> {
    let mut rig = Rig::default();
    let read = rig.source(&Random(1).tensor([2, 3, 4, 5], -1.0, 1.0), None);
    let rows =
        |place| [FeatureRow { weight: 0.5, channel: 2, place: 3 }, FeatureRow { weight: 2.0, channel: 1, place }];
    let (ledger, _) = rig.ledger(2, &[objective_columns()], &[weights()], clock)?;
    Feature::Neuron.record(&mut rig.rec, "term", read, &rows(0), &ledger.slot(0), true)?;
    ledger.write(&mut rig.rec)?;
    let ready = rig.ready()?;
    ready.plan.overwrite(bound(&ready, "rows"), &rows(place));
    ready.step()?;
    Ok(vec![ready.history(&ledger, 2, 0)?, ready.history(&ledger, 2, 1)?, ready.read(read.dx)?])
}

fn pixels(clock: u32) -> Outcome<Vec<Tensor>> {
    let mut random = Random(1);
    let [x, before] = [0; 2].map(|_| random.tensor([2, 3, 4, 5], -1.0, 1.0));
    let mut rig = Rig::default();
    let read = rig.source(&x, Some(&before));
    let [m, v] = ["m", "v"].map(|label| rig.input(label, &before.map(f64::abs)));
    let row = AdamRow { step_size: 0.125, decay: 0.0, inv_sqrt_bias2: 1.0, reset: 0.0 };
    let schedule = rig.schedule(&[row, AdamRow { step_size: 0.25, ..row }], clock);
    let term = TotalVariation { form: TvForm::L1Sum, weight: 1.0, start: 1.0 };
    let (ledger, _) = rig.ledger(2, &[term.columns(&[read.x.shape])], &[weights()], clock)?;
    term.record(&mut rig.rec, &ledger.slot(0), 0..2, &[read])?;
    let adam = Adam { beta1: 0.5, beta2: 0.75, eps: 1e-3, clamp: false, towards: vec![0.0; 3] };
    adam.step(&mut rig.rec, read.dx, [read.x, m, v], schedule)?;
    ledger.write(&mut rig.rec)?;
    let ready = rig.run()?;
    let histories = [0, 1].map(|step| ready.history(&ledger, 2, step));
    [read.x, read.dx, m, v].map(|tensor| ready.read(tensor)).into_iter().chain(histories).collect()
}

/// The table of columns, a constant to which nothing should write.
fn columns(words: [u32; 4]) -> Outcome<Vec<Tensor>> {
    let mut rig = Rig::default();
    let (ledger, _) = rig.ledger(2, &[vec![Column::named("a").in_partials(3)]], &[weights()], 1)?;
    ledger.write(&mut rig.rec)?;
    let ready = rig.ready()?;
    ready.plan.write(bound(&ready, "values"), &[0.5f32; 6])?;
    ready.plan.overwrite(bound(&ready, "columns"), &words);
    ready.step()?;
    Ok(vec![ready.history(&ledger, 2, 1)?])
}

/// Forward and backward under maps; that of the last image may hold anything.
fn warp(map: [f32; AffineWarp::ROW], clock: u32) -> Outcome<Vec<Tensor>> {
    let mut random = Random(1);
    let (x, dy) = (random.tensor([2, 3, 6, 7], -1.0, 1.0), random.tensor([2, 3, 5, 4], -1.0, 1.0));
    let mut out = Vec::new();
    for interpolation in [Interpolation::Bilinear, Interpolation::Nearest] {
        let mut rig = Rig::default();
        let op = AffineWarp { interpolation, fill: vec![0.5; 3], normalize: None };
        let (x_slot, y) = (rig.input("x", &x), rig.output("y", dy.shape));
        let (dy, dx) = (rig.input("dy", &dy), rig.output("dx", x.shape));
        let plain = AffineWarp::row([1.0, 0.25, 0.5, -0.25, 1.0, 1.0], [6, 7], [5, 4]);
        let maps = [plain, plain, plain, map];
        let theta = rig.words("theta", bytemuck::cast_slice(&maps));
        let clock = Clock { step: rig.words("clock", &[clock]), steps: STEPS };
        op.forward(&mut rig.rec, x_slot, theta, clock, y)?;
        op.backward(&mut rig.rec, dy, theta, clock, dx)?;
        let ready = rig.run()?;
        out.extend([ready.read(y)?, ready.read(dx)?]);
    }
    Ok(out)
}

#[test]
fn the_clock_stays_within_the_schedule() {
    let mut table = Table::new("hostile");
    let last = STEPS as u32 - 1;
    let map = AffineWarp::row([0.5, 0.0, 1.0, 0.0, 0.5, 1.0], [6, 7], [5, 4]);
    let runs: [(&str, Run); 5] = [
        ("class_logit clock", &|clock| logits(9, clock)),
        ("class_terms clock", &|clock| terms(9, clock)),
        ("feature clock", &|clock| neuron(7, clock)),
        ("total_variation adam history clock", &pixels),
        ("affine_warp clock", &|clock| warp(map, clock)),
    ];
    for (name, run) in runs {
        counts_as(&mut table, name, last, &CLOCKS, run);
    }
    table.finish();
}

#[test]
fn classes_and_places_stay_within_their_tensors() {
    let mut table = Table::new("hostile");
    let far = [10, 1 << 20, 1 << 30, u32::MAX];
    counts_as(&mut table, "class_logit class", 9, &far, &|class| logits(class, 1));
    counts_as(&mut table, "class_terms class", 9, &far, &|class| terms(class, 1));
    let value = |place| Ok(neuron(place, 1)?[..2].to_vec());
    table.case("history columns", || {
        for words in [[0, 3, 1, 9], [0, 3, u32::MAX, 1], [0, u32::MAX, 1, 1]] {
            exact("history", &columns(words)?[0], &columns([0, 3, 1, 1])?[0])?;
        }
        columns([u32::MAX; 4]).map(drop)
    });
    counts_as(&mut table, "feature place", 19, &[20, 1 << 20, 1 << 30, u32::MAX], &value);
    table.finish();
}

#[test]
fn maps_stay_within_their_images() {
    let mut table = Table::new("hostile");
    let with = |extents: [f32; 4]| {
        let [h, w, oh, ow] = extents;
        let mut map = AffineWarp::row([1.0, 0.25, 0.5, -0.25, 1.0, 1.0], [6, 7], [5, 4]);
        map[6..].copy_from_slice(&[h, w, oh, ow]);
        map
    };
    for (name, hostile, nearest) in [
        ("larger", [7.0, 8.0, 6.0, 5.0], [6.0, 7.0, 5.0, 4.0]),
        ("huge", [1e9, 3e38, f32::INFINITY, 1e9], [6.0, 7.0, 5.0, 4.0]),
        ("negative", [-1.0, -1e9, f32::NEG_INFINITY, -3.0], [0.0; 4]),
    ] {
        table.case(format!("affine_warp extents {name}"), || {
            let (got, want) = (warp(with(hostile), 1)?, warp(with(nearest), 1)?);
            got.iter().zip(&want).try_for_each(|(got, want)| exact("tensors", got, want))
        });
    }
    // The result with these is undefined, but the kernel returns, and the sentinels survive.
    for value in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38, -3e38, 0.0] {
        for at in 0..AffineWarp::ROW {
            let mut map = with([6.0, 7.0, 5.0, 4.0]);
            map[at] = value;
            table.case(format!("affine_warp theta[{at}] = {value}"), || warp(map, 1).map(drop));
        }
        table.case(format!("affine_warp all {value}"), || warp([value; AffineWarp::ROW], 1).map(drop));
    }
    table.finish();
}
