//! phase: spectra of magnitude 1, their adjoint, and the images that they make.

use protogpu::ops::{Irfft2, Phase};

use crate::tests::harness::{Outcome, Rig, Table, batch_independent, by, close, gradient, images, refused};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, phase};

fn forward(phi: &Tensor) -> Outcome<Tensor> {
    let (mut rig, [n, c, h, columns]) = (Rig::default(), phi.shape);
    let (phi, s) = (rig.input("phi", phi), rig.output("s", [n, c, h, 2 * columns]));
    Phase.forward(&mut rig.rec, phi, s)?;
    rig.run()?.read(s)
}

fn backward(ds: &Tensor, phi: &Tensor) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let (ds, phi, dphi) = (rig.input("ds", ds), rig.input("phi", phi), rig.output("dphi", phi.shape));
    Phase.backward(&mut rig.rec, ds, phi, dphi)?;
    rig.run()?.read(dphi)
}

/// From a reduction by a whole turn and from cos and sin, for which WGSL allows 2⁻¹¹; real adapters are far closer.
const K: f64 = 32.0;

#[test]
fn phase() {
    let mut table = Table::new("phase");
    for shape in [[1, 1, 2, 2], [2, 3, 6, 5], [3, 2, 8, 3], [1, 2, 10, 66]] {
        let [n, c, h, columns] = shape;
        let mut random = Random(2);
        let phi = random.tensor(shape, -16.0, 16.0);
        let ds = random.tensor([n, c, h, 2 * columns], -1.0, 1.0);
        let name = by(&shape);
        table.case(format!("forward {name}"), || {
            let want = phase::forward(&phi);
            close("s", &forward(&phi)?, &want, &want.map(|_| 1.0), K)
        });
        table.case(format!("backward {name}"), || {
            let want = phase::backward(&ds, &phi);
            close("dphi", &backward(&ds, &phi)?, &want, &want.map(|_| 2.0), K)
        });
        if n == 3 {
            table.case(format!("differences {name}"), || {
                gradient(&backward(&ds, &phi)?, &phi, &phi.map(|_| 2.0), K, |phi| ds.dot(&phase::forward(phi)))
            });
            table.case(format!("batch {name}"), || {
                batch_independent(|n| {
                    Ok(vec![forward(&images(&phi, n))?, backward(&images(&ds, n), &images(&phi, n))?])
                })
            });
        }
    }
    table.case("images have mean 0 and variance 1", || {
        for [h, w] in [[32, 32], [64, 24]] {
            let mut rig = Rig::default();
            let phi = rig.input("phi", &Random(5).tensor([2, 3, h, w / 2 + 1], -4.0, 4.0));
            let (s, x) = (rig.output("s", [2, 3, h, w + 2]), rig.output("x", [2, 3, h, w]));
            Phase.forward(&mut rig.rec, phi, s)?;
            Irfft2::of_photographs(h, w)?.forward(&mut rig.rec, s, x)?;
            let x = rig.run()?.read(x)?;
            for channel in x.data.chunks(h * w) {
                let mean = channel.iter().sum::<f64>() / (h * w) as f64;
                let variance = channel.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / (h * w) as f64;
                assert!(mean.abs() < 1e-5 && (variance - 1.0).abs() < 2e-3, "{h}x{w}: {mean} {variance}");
            }
        }
        Ok(())
    });
    table.case("other shapes", || {
        let mut rig = Rig::default();
        let (phi, s) = (rig.output("phi", [1, 3, 4, 3]), rig.output("s", [1, 3, 4, 8]));
        refused("s", Phase.forward(&mut rig.rec, phi, s), "the spectrum [1,3,4,8] does not have a pair for each")
    });
    table.finish();
}
