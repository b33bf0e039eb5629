//! adam: steps in a row against the twin, a reset in between, clamping, and NaN before the first step.

use protogpu::ops::{Adam, AdamRow};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, by, close, exact, images, refused};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, adam};

/// Twice three steps: the moments begin anew before the first and before the fourth.
const STEPS: usize = 6;

fn restarts(step: usize) -> bool {
    step.is_multiple_of(3)
}

/// t since the moments began, from 1.
fn t_of(step: usize) -> i32 {
    step as i32 % 3 + 1
}

fn schedule(p: &adam::Adam) -> Vec<AdamRow> {
    let row = |step| AdamRow {
        step_size: (p.lr / (1.0 - p.beta1.powi(t_of(step)))) as f32,
        decay: p.decay as f32,
        inv_sqrt_bias2: (1.0 / (1.0 - p.beta2.powi(t_of(step))).sqrt()) as f32,
        reset: if restarts(step) { 1.0 } else { 0.0 },
    };
    (0..STEPS).map(row).collect()
}

/// x, m and v after all steps. m and v begin as NaN: the reset before the first step must clear them.
fn run(p: &adam::Adam, x: &Tensor, dx: &[Tensor]) -> Outcome<Vec<Tensor>> {
    let mut rig = Rig::default();
    let towards = p.towards.iter().cycle().take(x.shape[1]).map(|&colour| colour as f32).collect();
    let op = Adam { beta1: p.beta1, beta2: p.beta2, eps: p.eps, clamp: p.clamp, towards };
    let (x, dx_slot) = (rig.input("x", x), rig.output("dx", x.shape));
    let [m, v] = ["m", "v"].map(|label| rig.output(label, x.shape.nchw()));
    let schedule = rig.schedule(&schedule(p), 0);
    op.step(&mut rig.rec, dx_slot, [x, m, v], schedule)?;
    let ready = rig.ready()?;
    for (step, dx) in dx.iter().enumerate() {
        ready.plan.write(schedule.clock.step, &[step as u32])?;
        ready.plan.write(dx_slot.id, &dx.to_f32())?;
        ready.step()?;
    }
    [x, m, v].map(|t| ready.read(t)).into_iter().collect()
}

/// x, m and v by the twin, and the sums of magnitudes for each: |x|, and for every step Σ|m| over its root.
fn twin(p: &adam::Adam, x: &Tensor, dx: &[Tensor]) -> [[Tensor; 2]; 3] {
    let zero = Tensor::zeros(x.shape);
    let (mut x, mut m, mut v) = (x.clone(), zero.clone(), zero.clone());
    let (mut x_size, mut m_size) = (x.map(f64::abs), zero.clone());
    for (step, dx) in dx.iter().enumerate() {
        if restarts(step) {
            [&mut m, &mut v, &mut m_size].into_iter().for_each(|t| *t = zero.clone());
        }
        let t = t_of(step);
        p.step(&mut x.data, &dx.data, &mut m.data, &mut v.data, t);
        m_size = m_size.zip(dx, |m, dx| p.beta1 * m + (1.0 - p.beta1) * dx.abs());
        let (rate, root) = (p.lr / (1.0 - p.beta1.powi(t)), (1.0 - p.beta2.powi(t)).sqrt());
        let moved = m_size.zip(&v, |m, v| rate * m / (v.sqrt() / root + p.eps));
        let decayed = p.decay * p.towards[0].max(1.0);
        x_size = x_size.zip(&moved, |x, d| x + d + decayed);
    }
    [[x, x_size], [m, m_size], [v.clone(), v]]
}

/// Exact as f32.
const TOWARDS: &[f64] = &[0.5, 0.25, 0.125, 0.375, 0.625, 0.75, 0.875];

/// Three steps of m and v with three roundings each; then a root, a quotient and two products of x: within 4 steps' worth.
const K: f64 = 16.0;

#[test]
fn adam() {
    let mut table = Table::new("adam");
    let presets = [
        ("torch", adam::Adam::default()),
        ("clamped", adam::Adam { lr: 0.25, clamp: true, ..adam::Adam::default() }),
        ("other betas", adam::Adam { lr: 0.125, beta1: 0.5, beta2: 0.75, eps: 1e-3, ..adam::Adam::default() }),
        ("decayed", adam::Adam { decay: 0.375, ..adam::Adam::default() }),
    ];
    for shape in [[1, 7, 3, 3], [2, 2, 4, 4], [1, 5, 13, 1], [3, 3, 5, 7]] {
        let mut random = Random(1);
        let x = random.tensor(shape, 0.0, 1.0);
        let mut dx: Vec<Tensor> = (0..STEPS).map(|_| random.tensor(shape, -1.0, 1.0)).collect();
        for dx in &mut dx {
            // One pixel has no gradient and does not move; others have very small and large ones.
            dx.data[0] = 0.0;
            dx.data[1] *= f64::from(2.0_f32.powi(-20));
            dx.data[2] *= 1024.0;
        }
        for (preset, p) in presets {
            let p = adam::Adam { plane: shape[2] * shape[3], towards: &TOWARDS[..shape[1]], ..p };
            table.case(format!("step {preset} {}", by(&shape)), || {
                let got = run(&p, &x, &dx)?;
                for ((name, got), [want, size]) in ["x", "m", "v"].iter().zip(&got).zip(twin(&p, &x, &dx)) {
                    close(name, got, &want, &size, K)?;
                }
                if p.clamp && !got[0].data.iter().any(|&x| x == 0.0 || x == 1.0) {
                    return Err("nothing was clamped, so nothing was seen".into());
                }
                Ok(())
            });
        }
        if shape[0] == 3 {
            table.case(format!("batch {}", by(&shape)), || {
                batch_independent(|n| {
                    let dx: Vec<Tensor> = dx.iter().map(|dx| images(dx, n)).collect();
                    run(&presets[0].1, &images(&x, n), &dx)
                })
            });
        }
    }
    table.case("a colour of other channels", || {
        let mut rig = Rig::default();
        let [x, dx, m, v] = ["x", "dx", "m", "v"].map(|label| rig.output(label, [1, 4, 2, 2]));
        let schedule = rig.schedule(&schedule(&presets[0].1), 0);
        let op = Adam { beta1: 0.5, beta2: 0.5, eps: 1.0, clamp: false, towards: vec![0.5; 3] };
        let expected = "adam: x has 4 channels, but the colour that it decays towards has 3";
        refused("channels", op.step(&mut rig.rec, dx, [x, m, v], schedule), expected)
    });
    table.case("step clamped nan", || {
        let x = Tensor::filled([1, 1, 1, 3], 0.5);
        let dx = [Tensor::new(x.shape, vec![1.0, f64::NAN, 0.0])];
        let x = run(&presets[1].1, &x, &dx)?.swap_remove(0);
        exact("x", &x.map(|x| if x < 0.5 { 0.0 } else { x }), &Tensor::new(x.shape, vec![0.0, f64::NAN, 0.5]))
    });
    table.finish();
}
