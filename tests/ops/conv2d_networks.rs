//! conv2d in the shapes of networks: the error of each algorithm, and batches that are processed in turns.

use protogpu::Shape;
use protogpu::gpu::Recording;
use protogpu::ops::{self, ConvAlgorithm, TexelsAlgorithm, Tile};

use super::conv2d::{Case, Parts, name_of};
use crate::tests::harness::{self, Table, batch_independent, images};
use crate::tests::twin::Tensor;

/// The largest difference of each algorithm from the f64 twin, relative to the largest output, for the 3x3 windows of networks. It is
/// printed, and must be far below 1e-3, the tolerance for the activation of a module.
#[test]
fn errors_of_a_networks_shapes() {
    let mut table = Table::new("conv2d");
    for (channels, side) in [(64, 16), (128, 14), (256, 9), (512, 7)] {
        let mut case = Case::new(([1, channels, side, side], [channels, channels, 3, 3], [1, 1], [1; 4]));
        // As after a relu.
        case.x = case.x.map(|x| x.max(0.0));
        let (y, dx) = (case.twin_forward(&case.x, false), case.twin_backward());
        for algorithm in case.algorithms() {
            table.case(format!("errors {channels} on {side}x{side} {}", name_of(algorithm)), || {
                let relative = |got: &Tensor, want: &Tensor| {
                    let largest = want.data.iter().fold(0.0f64, |m, v| m.max(v.abs()));
                    got.zip(want, |g, w| (g - w).abs()).data.into_iter().fold(0.0, f64::max) / largest
                };
                let forward = relative(&case.forward(&case.x, algorithm, Parts::default())?, &y);
                let backward = relative(&case.backward(&case.dy, algorithm, None, None)?, &dx);
                println!(
                    "{channels:>4} on {side}x{side} {:<16} forward {forward:.1e} backward {backward:.1e}",
                    name_of(algorithm)
                );
                if forward.max(backward) < 3e-5 { Ok(()) } else { Err(format!("{forward:.1e}, {backward:.1e}").into()) }
            });
        }
    }
    table.finish();
}

/// Enough tiles that Winograd's stages take the images in turns.
#[test]
fn images_in_turns() {
    let mut table = Table::new("conv2d");
    let case = Case::new(([3, 208, 56, 56], [208, 208, 3, 3], [1, 1], [1; 4]));
    for algorithm in case.algorithms().into_iter().filter(|v| !v.is_plain()) {
        table.case(format!("turns {}", case.name(algorithm)), || {
            batch_independent(|n| {
                let with = Parts { bias: true, relu: true, ..Parts::default() };
                let y = case.forward(&images(&case.x, n), algorithm, with)?;
                Ok(vec![y, case.backward(&images(&case.dy, n), algorithm, None, None)?])
            })
        });
    }
    let tile = Tile::F4x3;
    for algorithm in [ConvAlgorithm::Winograd(tile), ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(tile))] {
        table.case(format!("turns are taken {}", name_of(algorithm)), || {
            let mut rec = Recording::new();
            let [x, y] = [0; 2].map(|_| {
                let (rec, shape) = (&mut rec, Shape::from(case.x.shape));
                match algorithm {
                    ConvAlgorithm::Winograd(_) => ops::Tensor::transient(rec, "t", shape),
                    _ => ops::Tensor::transient_texels(rec, "t", shape),
                }
            });
            harness::forward_by(algorithm, &mut rec, &case.conv(false), &[x], y)?;
            let dispatches = rec.commands().len();
            if dispatches > 3 && dispatches.is_multiple_of(3) {
                return Ok(());
            }
            Err(format!("{dispatches} dispatches, not some turns of three").into())
        });
    }
    table.finish();
}
