//! history: the losses of each step in their row, their sum, and the clock.

use protogpu::gpu::{CustomKernel, Grid, NoParams};
use protogpu::method::losses::{Column, tick};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, close, images, refused, root};
use crate::tests::twin::Tensor;
use crate::tests::twin::random::Random;

const STEPS: usize = 3;

/// Of three terms: one that is not kept, one with a column beside its loss, one in many partial sums.
fn terms(partials: usize) -> Vec<Vec<Column>> {
    vec![
        vec![Column::hidden()],
        vec![Column::named("second"), Column::named("beside"), Column::hidden().in_partials(2)],
        vec![Column::named("third").in_partials(partials)],
    ]
}

/// The weights of a step, one a term.
fn weights(step: usize) -> [f64; 3] {
    [8.0 - step as f64, 0.5 + step as f64, 0.25 * step as f64]
}

/// history `[STEPS,N,4,1]` after `write` and `tick`, STEPS times over, and the clock. values: what the terms leave, `[N,5 + P]`.
fn run(values: &Tensor, partials: usize) -> Outcome<(Tensor, u32)> {
    let mut rig = Rig::default();
    let n = values.shape[0];
    let rows: Vec<Vec<f32>> = (0..3).map(|term| (0..STEPS).map(|step| weights(step)[term] as f32).collect()).collect();
    let (ledger, clock) = rig.ledger(n, &terms(partials), &rows, 0)?;
    let names: Vec<&str> = ledger.names().iter().map(|name| &**name).collect();
    if names != ["second", "third", "beside"] {
        return Err(format!("{names:?}").into());
    }
    // In place of the terms.
    let (_, to, len) = ledger.slot(0).values(n, 1)?;
    assert_eq!(len, values.data.len());
    let left = rig.input("what terms left", values);
    let copy = CustomKernel::new("leave", LEAVE, "leave");
    let bindings = [("left", left.id, len), ("values", to, len)];
    rig.rec.dispatch_custom("leave", copy, &bindings, &NoParams, Grid::Each(len), 0)?;
    ledger.write(&mut rig.rec)?;
    tick(&mut rig.rec, clock)?;
    let ready = rig.ready()?;
    ready.plan.submit("step", STEPS);
    ready.plan.check_sentinels()?;
    let all = (0..STEPS).map(|step| ready.history(&ledger, n, step)).collect::<Outcome<Vec<_>>>()?;
    let data = all.into_iter().flat_map(|step| step.data).collect();
    Ok((Tensor::new([STEPS, n, 4, 1], data), ready.words(clock.step)?[0]))
}

const LEAVE: &str = "
@group(0) @binding(0) var<storage, read> left: array<f32>;
@group(0) @binding(1) var<storage, read_write> values: array<f32>;
@compute @workgroup_size(64)
fn leave(@builtin(global_invocation_id) id: vec3u, @builtin(num_workgroups) groups: vec3u) {
    let i = id.y * groups.x * 64 + id.x;
    if i < arrayLength(&left) {
        values[i] = left[i];
    }
}
";

/// `[history, sums of magnitudes]`.
fn twin(values: &Tensor) -> [Tensor; 2] {
    let (mut want, mut size) = (Vec::new(), Vec::new());
    for step in 0..STEPS {
        for values in values.data.chunks(values.shape[1]) {
            let of = |f: fn(f64) -> f64| {
                let third = values[5..].iter().map(|&v| f(v)).sum::<f64>();
                let losses = [f(values[0]), f(values[1]), third];
                let loss: f64 = weights(step).iter().zip(losses).map(|(w, loss)| w * loss).sum();
                [loss, losses[1], third, f(values[2])]
            };
            want.extend(of(|v| v));
            size.extend(of(f64::abs));
        }
    }
    let shape = [STEPS, values.shape[0], 4, 1];
    [Tensor::new(shape, want), Tensor::new(shape, size)]
}

#[test]
fn history() {
    let mut table = Table::new("history");
    for [n, partials] in [[1, 1], [2, 63], [3, 64], [2, 65], [3, 672]] {
        // Of the first; of the second three; of the third the rest.
        let values = Random(1).tensor([n, 5 + partials, 1, 1], -1.0, 1.0);
        table.case(format!("write {n}x{partials}"), || {
            let (history, clock) = run(&values, partials)?;
            let [want, size] = twin(&values);
            close("history", &history, &want, &size, root(partials) + 3.0)?;
            if clock == STEPS as u32 { Ok(()) } else { Err(format!("the clock is {clock} after {STEPS} steps").into()) }
        });
        if n == 3 {
            table.case(format!("batch {n}x{partials}"), || {
                batch_independent(|n| {
                    let history = run(&images(&values, n), partials)?.0;
                    // Image by image, with its steps together.
                    let rows = |i: usize| (0..STEPS).flat_map(move |t| (0..4).map(move |j| (t, i, j)));
                    let order = (0..n.len()).flat_map(rows);
                    let data = order.map(|(t, i, j)| history[[t, i, j, 0]]).collect();
                    Ok(vec![Tensor::new([n.len(), STEPS, 4, 1], data)])
                })
            });
        }
    }
    table.case("names and room", || {
        let mut rig = Rig::default();
        let twice = [vec![Column::named("a")], vec![Column::named("a")]];
        refused("one name twice", rig.ledger(2, &twice, &[vec![1.0], vec![1.0]], 0), "`a` names two columns")?;
        let of_the_loss = [vec![Column::named("loss")]];
        refused("the loss's name", rig.ledger(2, &of_the_loss, &[vec![1.0]], 0), "`loss` names two columns")?;
        let (ledger, _) = rig.ledger(2, &[vec![Column::hidden().in_partials(3)]], &[vec![1.0]], 0)?;
        refused("more values", ledger.slot(0).values(2, 4), "there is room for 3")?;
        refused("more images", ledger.slot(0).values(3, 3), "there is room for 3")
    });
    table.finish();
}
