//! roll: shifts around the edges, mirror images, and the adjoint. Every comparison is exact.

use protogpu::ops::{AffineWarp, Clock, Roll};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, by, exact, images, refused};
use crate::tests::twin::Tensor;
use crate::tests::twin::random::Random;
use crate::tests::twin::roll::{self, Move};

/// The maps of the step, after those of an earlier step.
fn words(moves: &[Move], size: [usize; 2]) -> Vec<u32> {
    let before = std::iter::repeat_n(f32::NAN.to_bits(), AffineWarp::ROW * moves.len());
    let row = |&[s, t0, t1]: &Move| {
        let [s, t0, t1] = [s, t0, t1].map(|v| v as f32);
        AffineWarp::row([s, 0.0, t0, 0.0, 1.0, t1], size, size).map(f32::to_bits)
    };
    before.chain(moves.iter().flat_map(row)).collect()
}

fn run(x: &Tensor, words: &[u32], back: bool) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("x", x), rig.output("y", x.shape));
    let (theta, clock) = (rig.words("theta", words), Clock { step: rig.words("clock", &[1]), steps: 2 });
    if back {
        Roll.backward(&mut rig.rec, x, theta, clock, y)?;
    } else {
        Roll.forward(&mut rig.rec, x, theta, clock, y)?;
    }
    rig.run()?.read(y)
}

#[test]
fn roll() {
    let mut table = Table::new("roll");
    for (shape, size) in [
        ([2, 3, 13, 11], [13, 11]),
        ([3, 1, 7, 65], [7, 65]),
        ([1, 2, 1, 1], [1, 1]),
        ([3, 3, 9, 20], [5, 17]),
        ([2, 4, 64, 3], [63, 2]),
    ] {
        let mut random = Random(3);
        let [x, dy] = [0; 2].map(|_| random.tensor(shape, -1.0, 1.0));
        let moves: Vec<Move> = [[1, 3, -2], [-1, size[1] as i64 - 1, 0], [-1, -40, 100]][..shape[0]].to_vec();
        let name = format!("{} of {}x{}", by(&shape), size[0], size[1]);
        table.case(format!("forward {name}"), || {
            exact("y", &run(&x, &words(&moves, size), false)?, &roll::forward(&x, &moves, size))
        });
        table.case(format!("backward {name}"), || {
            exact("dx", &run(&dy, &words(&moves, size), true)?, &roll::backward(&dy, &moves, size))
        });
        table.case(format!("adjoint of the twin {name}"), || {
            let (y, dx) = (roll::forward(&x, &moves, size), roll::backward(&dy, &moves, size));
            assert!((dy.dot(&y) - dx.dot(&x)).abs() < 1e-12, "{} {}", dy.dot(&y), dx.dot(&x));
            Ok(())
        });
        if shape[0] == 3 {
            table.case(format!("batch {name}"), || {
                batch_independent(|n| {
                    let moves: Vec<Move> = n.iter().map(|&n| moves[n]).collect();
                    let (x, dy, words) = (images(&x, n), images(&dy, n), words(&moves, size));
                    Ok(vec![run(&x, &words, false)?, run(&dy, &words, true)?])
                })
            });
        }
    }
    table.case("maps that no host should write stay within", || {
        let x = Random(4).tensor([1, 2, 6, 7], -1.0, 1.0);
        for odd in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, -3e38, 1e-40, 0.0] {
            let row = [odd; 2 * AffineWarp::ROW].map(f32::to_bits);
            for back in [false, true] {
                let y = run(&x, &row, back)?;
                assert!(y.data.iter().all(|v| *v == 0.0 || x.data.contains(v)), "{odd}");
            }
        }
        Ok(())
    });
    table.case("other shapes", || {
        let mut rig = Rig::default();
        let [x, y] = [[1, 3, 4, 4], [1, 3, 4, 5]].map(|shape| rig.output("x", shape));
        let (theta, clock) = (rig.words("theta", &[0; 10]), Clock { step: rig.words("clock", &[0]), steps: 1 });
        refused("y", Roll.forward(&mut rig.rec, x, theta, clock, y), "x is [1,3,4,4] but y is [1,3,4,5]")
    });
    table.finish();
}
