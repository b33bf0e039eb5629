//! noise: the generator, its numbers, and an image's noise in any batch.

use protogpu::ops::{AffineWarp, Clock, Noise};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, by, close, images};
use crate::tests::twin::Tensor;
use crate::tests::twin::noise::{self, Key};
use crate::tests::twin::random::Random;

fn run(x: &Tensor, keys: &[Key], deviation: f32) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("x", x), rig.output("y", x.shape));
    let row = |[k0, k1]: &Key| {
        let mut row = [0.0; AffineWarp::ROW];
        [row[0], row[1]] = [*k0 as f32, *k1 as f32];
        row.map(f32::to_bits)
    };
    let before = std::iter::repeat_n(f32::NAN.to_bits(), AffineWarp::ROW * keys.len());
    let words: Vec<u32> = before.chain(keys.iter().flat_map(row)).collect();
    let (theta, clock) = (rig.words("theta", &words), Clock { step: rig.words("clock", &[1]), steps: 2 });
    Noise { deviation }.forward(&mut rig.rec, x, theta, clock, y)?;
    rig.run()?.read(y)
}

const KEYS: [Key; 3] = [[0, 0], [16_777_215, 1], [123_456, 7_654_321]];

#[test]
fn noise() {
    let mut table = Table::new("noise");
    for shape in [[1, 1, 1, 1], [2, 3, 5, 7], [3, 3, 9, 11], [1, 4, 16, 16]] {
        let x = Random(6).tensor(shape, 0.0, 1.0);
        let keys = &KEYS[..shape[0]];
        // A number is 5.8 at most. WGSL allows log an error of 2⁻²¹ and cos one of 2⁻¹¹; real adapters are far closer.
        table.case(format!("forward {}", by(&shape)), || {
            let want = noise::forward(&x, keys, 0.25);
            close("y", &run(&x, keys, 0.25)?, &want, &want.map(|_| 1.0), 32.0)
        });
        if shape[0] == 3 {
            table.case(format!("batch {}", by(&shape)), || {
                batch_independent(|n| {
                    let keys: Vec<Key> = n.iter().map(|&n| keys[n]).collect();
                    Ok(vec![run(&images(&x, n), &keys, 0.25)?])
                })
            });
        }
    }
    table.case("normal, and of its own for each key and element", || {
        let len = 30_000;
        let x = Tensor::zeros([3, 1, 100, 300]);
        let y = run(&x, &KEYS, 1.0)?;
        let rows: Vec<&[f64]> = y.data.chunks(len).collect();
        // The mean of products; of independent normal numbers it has a standard deviation of 1/√30000 = .0058.
        let mean = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>() / a.len() as f64;
        for row in &rows {
            let fourth = row.iter().map(|g| g.powi(4)).sum::<f64>() / len as f64;
            assert!(row.iter().sum::<f64>().abs() / (len as f64) < 0.025, "the mean");
            // Standard deviations √(2/30000) = .008 and √(96/30000) = .057.
            assert!((mean(row, row) - 1.0).abs() < 0.035 && (fourth - 3.0).abs() < 0.25, "{} {fourth}", mean(row, row));
            for lag in [1, 2, 3, 4, 300] {
                assert!(mean(&row[lag..], row).abs() < 0.025, "{lag}");
            }
        }
        for [a, b] in [[0, 1], [0, 2], [1, 2]] {
            assert!(mean(rows[a], rows[b]).abs() < 0.025, "{a} {b}");
        }
        Ok(())
    });
    table.finish();
}

/// Values of an independent implementation, in Python.
#[test]
fn the_twin_is_pinned() {
    assert_eq!(noise::pcg4d([1, 2, 3, 4]), PINNED_WORDS);
    for (i, want) in PINNED_NORMALS.iter().enumerate() {
        let got = noise::normal([123_456, 7_654_321], i);
        assert!((got - want).abs() < 1e-12, "{i}: {got}");
    }
}

const PINNED_WORDS: [u32; 4] = [0x3622_cd16, 0xf114_71d8, 0xe110_9b3f, 0x02b9_4c2f];
const PINNED_NORMALS: [f64; 6] = [
    -0.6411321976192469,
    0.8483924538154364,
    -0.4821028992908622,
    -0.7736667764819652,
    1.2583503518606636,
    -0.776881340713998,
];
