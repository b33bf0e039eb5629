//! The parameterization's ops, and every transform as a map, against PyTorch: `tests/golden/lucent.safetensors`.

use protogpu::method::transform_chain::maps_of;
use protogpu::method::{Settings, Transform, Transforms};
use protogpu::ops::{self, AffineWarp, Clock, Colour, Interpolation, Irfft2};
use protogpu::{ImageSpec, Shape};

use crate::tests::harness::{Outcome, Rig, Table, close};
use crate::tests::twin::Tensor;
use crate::tests::twin::colour;
use crate::tests::twin::golden::Golden;
use crate::tests::twin::irfft2;

/// The size of the images after the last resize.
const NETWORK: ImageSpec = ImageSpec { channels: 3, height: 224, width: 224 };

/// Lucid's colours, the largest norm of a column made 1.
fn colours() -> colour::Matrix {
    let raw = [[0.26, 0.09, 0.02], [0.27, 0.00, -0.05], [0.27, -0.09, 0.03]];
    let norm = |column: usize| raw.iter().map(|row: &[f64; 3]| row[column] * row[column]).sum::<f64>().sqrt();
    raw.map(|row| row.map(|v| v / norm(0)))
}

/// x, y, dy and dx of a case.
fn case(golden: &Golden, prefix: &str) -> [Tensor; 4] {
    ["x", "y", "dy", "dx"].map(|name| golden.tensor(&format!("{prefix}/{name}")))
}

/// As large as the root mean square, or as the element itself.
fn size_of(x: &Tensor) -> Tensor {
    let rms = (x.dot(x) / x.data.len() as f64).sqrt();
    x.map(|x| x.abs() + rms)
}

/// Runs an op on a tensor, and returns its output.
fn run(
    input: &Tensor,
    shape: [usize; 4],
    record: impl FnOnce(&mut Rig, ops::Tensor, ops::Tensor) -> protogpu::Result<()>,
) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (x, y) = (rig.input("input", input), rig.output("output", shape));
    record(&mut rig, x, y)?;
    rig.run()?.read(y)
}

#[test]
fn spectra_and_colours() {
    let golden = Golden::open("lucent");
    let mut table = Table::new("lucent");
    for name in golden.children("irfft2/") {
        let prefix = format!("irfft2/{name}");
        let [x, y, dy, dx] = case(&golden, &prefix);
        let scale = golden.vec(&format!("{prefix}/scale"));
        let columns = y.shape[3] / 2 + 1;
        let op = Irfft2::new(y.shape[2], y.shape[3], |row, column| scale[row * columns + column]).expect("even sides");
        // The twin to f64's rounding, the adapter to f32's: some ε a pass, and 1000 has four.
        table.case(format!("{prefix} twin"), || {
            close("y", &irfft2::forward(&x, &scale), &y, &size_of(&y), 1e-6)?;
            close("dx", &irfft2::backward(&dy, &scale), &dx, &size_of(&dx), 1e-6)
        });
        table.case(format!("{prefix} adapter"), || {
            let got = run(&x, y.shape, |rig, s, x| op.forward(&mut rig.rec, s, x))?;
            close("y", &got, &y, &size_of(&y), 24.0)?;
            let got = run(&dy, dx.shape, |rig, dx, ds| op.backward(&mut rig.rec, dx, ds))?;
            close("dx", &got, &dx, &size_of(&dx), 24.0)
        });
    }
    let [x, y, dy, dx] = case(&golden, "to_rgb");
    let op = Colour { matrix: Some(colours().map(|row| row.map(|v| v as f32))), sigmoid: true };
    table.case("to_rgb twin", || {
        close("y", &colour::forward(&x, Some(&colours()), true), &y, &size_of(&y), 1e-6)?;
        close("dx", &colour::backward(&dy, &y, Some(&colours()), true), &dx, &size_of(&dx), 1e-6)
    });
    table.case("to_rgb adapter", || {
        close("y", &run(&x, y.shape, |rig, x, y| op.forward(&mut rig.rec, x, y))?, &y, &size_of(&y), 16.0)?;
        let rounded = y.map(|v| f64::from(v as f32));
        let got = run(&dy, dx.shape, |rig, dy, dx| {
            let y = rig.input("y", &rounded);
            op.backward(&mut rig.rec, dy, y, dx)
        })?;
        close("dx", &got, &dx, &size_of(&dx), 16.0)
    });
    table.finish();
}

#[test]
fn transforms() {
    let golden = Golden::open("lucent");
    let mut table = Table::new("lucent");
    for (name, transform) in [
        ("pad", Transform::Pad { pixels: 3, value: 0.5 }),
        ("jitter", Transform::Jitter(8)),
        ("smaller", Transform::Scale(vec![0.9])),
        ("larger", Transform::Scale(vec![1.08])),
        ("rotate", Transform::Rotate(vec![7.0])),
    ] {
        let prefix = format!("transform/{name}");
        let [x, y, dy, dx] = case(&golden, &prefix);
        let draw = golden.vec(&format!("{prefix}/draw"));
        let fill = if let Transform::Pad { value, .. } = transform { value as f32 } else { 0.0 };
        let settings = Settings { image_side: 24, transforms: Transforms(vec![transform]), ..Settings::default() };
        let map = maps_of(&settings, NETWORK, [0.0; 6], false, |_| [draw[0], draw[1], 0.0])[0];
        let op = AffineWarp { interpolation: Interpolation::Bilinear, fill: vec![fill; 3], normalize: None };
        let warp = |input: &Tensor, shape: [usize; 4], backward: bool| {
            run(input, shape, |rig, from, to| {
                let (theta, clock) =
                    (rig.words("theta", &map.map(f32::to_bits)), Clock { step: rig.words("clock", &[0]), steps: 1 });
                if backward {
                    op.backward(&mut rig.rec, from, theta, clock, to)
                } else {
                    op.forward(&mut rig.rec, from, theta, clock, to)
                }
            })
        };
        // A map's coefficients are rounded to f32, and over 30 pixels that moves a place by some 30·ε of a pixel.
        table.case(format!("{name} forward"), || {
            assert_eq!(Shape::from(y.shape).h(), map[8] as usize, "the side behind it");
            close("y", &warp(&x, y.shape, false)?, &y, &y.map(|_| 1.0), 60.0)
        });
        table.case(format!("{name} backward"), || {
            close("dx", &warp(&dy, dx.shape, true)?, &dx, &dx.map(|_| 1.0), 120.0)
        });
    }
    table.finish();
}
