//! What is in a buffer leads no kernel outside of its tensors: neither the clock, nor classes, channels, places, or the extents of a
//! map. Each counts as the nearest that is there, bit for bit, and the sentinels around every tensor survive.

use protogpu::gpu::bytemuck;
use protogpu::method::ScheduleRow;
use protogpu::ops::{
    Adam, AffineWarp, Clock, Feature, FeatureRow, GradEpilogue, HfForm, History, Interpolation, LogitRow, Objective,
    PvForm, TotalVariation, total,
};

use crate::harness::{Outcome, QUIET, Rig, Table, exact};
use crate::twin::Tensor;
use crate::twin::random::Random;

/// Two steps; what lies past them would show, as NaN where it is not zero.
const STEPS: usize = 2;

fn rows() -> [ScheduleRow; STEPS] {
    let quiet = ScheduleRow { w_class: 0.5, w_pv: 2.0, w_hf: 0.25, step_size: 0.125, inv_sqrt_bias2: 1.0, ..QUIET };
    [quiet, ScheduleRow { w_class: 0.75, w_pv: 4.0, w_hf: 0.5, step_size: 0.25, ..quiet }]
}

/// Clocks that are past the end, by one and by far.
const CLOCKS: [u32; 3] = [STEPS as u32, 1 << 30, u32::MAX];

/// What a kernel makes of its numbers.
type Run<'a> = &'a dyn Fn(u32) -> Outcome<Vec<Tensor>>;

/// Whether all of `hostile` do what `nearest` does.
fn counts_as(table: &mut Table, name: &str, nearest: u32, hostile: &[u32], run: Run) {
    for &value in hostile {
        table.case(format!("{name} {value:#x}"), || {
            let (got, want) = (run(value)?, run(nearest)?);
            got.iter().zip(&want).try_for_each(|(got, want)| exact(name, got, want))
        });
    }
}

fn logits(class: u32, clock: u32) -> Outcome<Vec<Tensor>> {
    let z = Random(1).tensor([2, 10, 1, 1], -4.0, 4.0);
    let mut rig = Rig::default();
    let (logits, dlogits) = (rig.input("logits", &z), rig.output("dlogits", z.shape));
    let (class_of, values) = (rig.words("class_of", &[3, class]), rig.output("values", [2, 4, 1, 1]));
    let schedule = rig.schedule(&rows(), clock);
    let objective = Objective { pv_form: PvForm::Softmax, rivals: 0.75 };
    objective.step(&mut rig.rec, logits, class_of, schedule, dlogits, values.id)?;
    let ready = rig.run()?;
    Ok(vec![ready.read(values)?, ready.read(dlogits)?])
}

fn terms(class: u32, clock: u32) -> Outcome<Vec<Tensor>> {
    let z = Random(1).tensor([2, 10, 1, 1], -4.0, 4.0);
    let mut rig = Rig::default();
    let (logits, dlogits) = (rig.input("logits", &z), rig.output("dlogits", z.shape));
    let row = |class, form| LogitRow { weight: 0.5, class, form };
    let terms = [row(3, 0), row(class, 1), row(class, 2), row(class, 0)];
    let (terms, values) = (rig.words("terms", bytemuck::cast_slice(&terms)), rig.output("values", [2, 4, 1, 1]));
    let schedule = rig.schedule(&rows(), clock);
    let objective = Objective { pv_form: PvForm::Softmax, rivals: 0.0 };
    objective.weighted(&mut rig.rec, logits, (terms, 2), schedule, dlogits, values.id)?;
    let ready = rig.run()?;
    Ok(vec![ready.read(values)?, ready.read(dlogits)?])
}

/// The value of a neuron alone for a place: a gradient at a place that is not there is that of nothing.
fn neuron(place: u32, clock: u32) -> Outcome<Vec<Tensor>> {
    let x = Random(1).tensor([2, 3, 4, 5], -1.0, 1.0);
    let mut rig = Rig::default();
    let (input, dx) = (rig.input("x", &x), rig.output("dx", x.shape));
    let rows_of = [FeatureRow { weight: 0.5, channel: 2, place: 3 }, FeatureRow { weight: 2.0, channel: 1, place }];
    let feature_rows = rig.words("rows", bytemuck::cast_slice(&rows_of));
    let (partial, values) = (rig.output("parts", [2, 3, 1, 1]), rig.output("values", [2, 4, 1, 1]));
    let schedule = rig.schedule(&rows(), clock);
    Feature::Neuron.value(&mut rig.rec, "term", input, feature_rows, partial.id)?;
    total(&mut rig.rec, "term", [2, 3], [partial.id, feature_rows, values.id], true)?;
    let sink = GradEpilogue::default();
    Feature::Neuron.gradient(&mut rig.rec, "term", [input, dx], feature_rows, schedule, sink)?;
    let ready = rig.run()?;
    Ok(vec![ready.read(values)?, ready.read(dx)?])
}

fn pixels(clock: u32) -> Outcome<Vec<Tensor>> {
    let mut random = Random(1);
    let [x, before] = [0; 2].map(|_| random.tensor([2, 3, 4, 5], -1.0, 1.0));
    let mut rig = Rig::default();
    let (x, dx) = (rig.input("x", &x), rig.input("dx", &before));
    let [m, v] = ["m", "v"].map(|label| rig.input(label, &before.map(f64::abs)));
    let schedule = rig.schedule(&rows(), clock);
    let variation = TotalVariation { form: HfForm::L1Sum };
    let partials = variation.partials(x.shape);
    let (partial, values) =
        (rig.output("partial", [2, partials, 1, 1]), rig.input("values", &Tensor::filled([2, 4, 1, 1], 0.5)));
    let history = rig.output("history", [STEPS, 2, History::ROW, 1]);
    variation.step(&mut rig.rec, x, schedule, partial.id, dx)?;
    let adam = Adam { beta1: 0.5, beta2: 0.75, eps: 1e-3, clamp: false, towards: [0.0; 3] };
    adam.step(&mut rig.rec, dx, [x, m, v], schedule)?;
    History { images: 2, partials }.write(&mut rig.rec, [partial.id, values.id], schedule, history.id)?;
    let ready = rig.run()?;
    [x, dx, m, v, history].map(|tensor| ready.read(tensor)).into_iter().collect()
}

/// Forward and backward under maps of which the last image's may say anything.
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
        ("objective.step clock", &|clock| logits(9, clock)),
        ("objective.weighted clock", &|clock| terms(9, clock)),
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
    counts_as(&mut table, "objective.step class", 9, &far, &|class| logits(class, 1));
    counts_as(&mut table, "objective.weighted class", 9, &far, &|class| terms(class, 1));
    let value = |place| Ok(neuron(place, 1)?[..1].to_vec());
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
    // What these make of an image nobody can say; they return, and the sentinels survive.
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
