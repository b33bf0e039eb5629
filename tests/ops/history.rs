//! history: the losses of each step in their place, and the clock.

use protogpu::method::ScheduleRow;
use protogpu::ops::History;

use crate::harness::{Outcome, QUIET, Rig, Table, batch_independent, close, images, root};
use crate::twin::Tensor;
use crate::twin::random::Random;

const STEPS: usize = 3;

fn rows() -> Vec<ScheduleRow> {
    let row = |step: usize| ScheduleRow {
        w_class: 0.5 + step as f32,
        w_pv: 8.0 - step as f32,
        w_hf: 0.25 * step as f32,
        ..QUIET
    };
    (0..STEPS).map(row).collect()
}

/// history [STEPS,N,5,1] after `write` and `tick`, STEPS times over, and the clock.
fn run(partial: &Tensor, values: &Tensor) -> Outcome<(Tensor, u32)> {
    let mut rig = Rig::default();
    let [n, partials, ..] = partial.shape;
    let (partial, values) = (rig.input("partial", partial), rig.input("values", values));
    let schedule = rig.schedule(&rows(), 0);
    let history = rig.output("history", [STEPS, n, History::ROW, 1]);
    History { images: n, partials }.write(&mut rig.rec, [partial.id, values.id], schedule, history.id)?;
    History::tick(&mut rig.rec, schedule.clock)?;
    let ready = rig.ready()?;
    ready.plan.submit("step", STEPS);
    ready.plan.check_sentinels()?;
    Ok((ready.read(history)?, ready.words(schedule.clock.step)?[0]))
}

/// `[history, what it adds up]`.
fn twin(partial: &Tensor, values: &Tensor) -> [Tensor; 2] {
    let [n, partials, ..] = partial.shape;
    let (mut want, mut size) = (Vec::new(), Vec::new());
    for row in rows() {
        let [w_class, w_pv, w_hf] = [row.w_class, row.w_pv, row.w_hf].map(f64::from);
        for (partial, value) in partial.data.chunks(partials).zip(values.data.chunks(4)) {
            let (loss_hf, hf_size): (f64, f64) = (partial.iter().sum(), partial.iter().map(|p| p.abs()).sum());
            let [pv, logit, probability, class] = [value[0], value[1], value[2], value[3]];
            want.extend([w_pv * pv + w_class * class + w_hf * loss_hf, loss_hf, pv, logit, probability]);
            size.extend([w_pv * pv.abs() + w_class * class.abs() + w_hf * hf_size, hf_size, 0.0, 0.0, 0.0]);
        }
    }
    let shape = [STEPS, n, 5, 1];
    [Tensor::new(shape, want), Tensor::new(shape, size)]
}

#[test]
fn history() {
    let mut table = Table::new("history");
    for [n, partials] in [[1, 1], [2, 63], [3, 64], [2, 65], [3, 672]] {
        let mut random = Random(1);
        let partial = random.tensor([n, partials, 1, 1], -1.0, 1.0);
        let values = random.tensor([n, 4, 1, 1], -1.0, 1.0);
        table.case(format!("write {n}x{partials}"), || {
            let (history, clock) = run(&partial, &values)?;
            let [want, size] = twin(&partial, &values);
            close("history", &history, &want, &size, root(partials) + 3.0)?;
            if clock == STEPS as u32 { Ok(()) } else { Err(format!("the clock is {clock} after {STEPS} steps").into()) }
        });
        if n == 3 {
            table.case(format!("batch {n}x{partials}"), || {
                batch_independent(|n| {
                    let history = run(&images(&partial, n), &images(&values, n))?.0;
                    // Image by image, with its steps together.
                    let rows = |i: usize| (0..STEPS).flat_map(move |t| (0..5).map(move |j| (t, i, j)));
                    let order = (0..n.len()).flat_map(rows);
                    let data = order.map(|(t, i, j)| history[[t, i, j, 0]]).collect();
                    Ok(vec![Tensor::new([n.len(), STEPS, 5, 1], data)])
                })
            });
        }
    }
    table.finish();
}
