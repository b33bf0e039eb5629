//! concat: exact, each input into its channels of one tensor; and valid ranges of channels.

use protogpu::gpu::Recording;
use protogpu::ops::{self, Concat, GradEpilogue, Op};
use protogpu::{Result, Shape};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, batch_independent, by, epilogue_name, exact, finished, images, refused,
};
use crate::tests::twin::random::Random;
use crate::tests::twin::{Tensor, concat};

/// Images, plane, and the channels of each input: one input; planes of 63, 64 and 65 places.
const CASES: [([usize; 3], &[usize]); 5] = [
    ([2, 3, 5], &[4]),
    ([2, 7, 9], &[1, 3, 2]),
    ([3, 8, 8], &[5, 1]),
    ([2, 13, 5], &[2, 2, 7, 1, 3]),
    ([1, 1, 1], &[8, 4]),
];

fn parts([n, h, w]: [usize; 3], channels: &[usize], seed: u64) -> Vec<Tensor> {
    let mut random = Random(seed);
    channels.iter().map(|&c| random.tensor([n, c, h, w], -1.0, 1.0)).collect()
}

fn forward(xs: &[&Tensor]) -> Outcome<Tensor> {
    let mut rig = Rig::default();
    let shapes: Vec<Shape> = xs.iter().map(|x| Shape::from(x.shape)).collect();
    let y = rig.output("y", Concat.output("concat", &shapes)?.nchw());
    let xs: Vec<ops::Tensor> = xs.iter().map(|x| rig.input("x", x)).collect();
    harness::forward(&mut rig.rec, &Concat, &xs, y)?;
    rig.run()?.read(y)
}

/// The gradient of each input, with its epilogue.
fn backward(
    dy: &Tensor,
    channels: &[usize],
    adds: Option<&[Tensor]>,
    masks: Option<&[Tensor]>,
) -> Outcome<Vec<Tensor>> {
    let mut rig = Rig::default();
    let ([n, _, h, w], dy) = (dy.shape, rig.input("dy", dy));
    let mut into = Vec::new();
    for (i, &c) in channels.iter().enumerate() {
        let dx = rig.output("dx", [n, c, h, w]);
        into.push((dx, rig.epilogue(ops::Format::Nchw, [adds.map(|t| &t[i]), masks.map(|t| &t[i])])?));
    }
    let dxs: Vec<ops::Tensor> = into.iter().map(|(dx, _)| *dx).collect();
    harness::backward(&mut rig.rec, &Concat, dy, (&dxs, &[]), &into)?;
    let ready = rig.run()?;
    dxs.into_iter().map(|dx| ready.read(dx)).collect()
}

#[test]
fn concat() {
    let mut table = Table::new("concat");
    for (extents @ [n, h, w], channels) in CASES {
        let [xs, adds, masks] = [1, 2, 3].map(|seed| parts(extents, channels, seed));
        let name = format!("{} c{}", by(&extents), by(channels));
        table.case(format!("forward {name}"), || {
            let xs: Vec<&Tensor> = xs.iter().collect();
            exact("y", &forward(&xs)?, &concat::forward(&xs))
        });
        let dy = Random(4).tensor([n, channels.iter().sum(), h, w], -1.0, 1.0);
        for epilogue @ [add, mask] in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name(epilogue)), || {
                let got = backward(&dy, channels, add.then_some(&adds[..]), mask.then_some(&masks[..]))?;
                for (i, (dx, want)) in got.iter().zip(concat::backward(&dy, channels)).enumerate() {
                    let want = finished(&want, add.then_some(&adds[i]), mask.then_some(&masks[i]));
                    exact(&format!("dx {i}"), dx, &want.map(|v| f64::from(v as f32)))?;
                }
                Ok(())
            });
        }
    }
    let ([n, h, w], channels) = ([3, 5, 3], [2, 5, 1]);
    let (xs, dy) = (parts([n, h, w], &channels, 1), Random(4).tensor([n, 8, h, w], -1.0, 1.0));
    table.case("batch 3x5x3 c2x5x1", || {
        batch_independent(|n| {
            let xs: Vec<Tensor> = xs.iter().map(|x| images(x, n)).collect();
            let mut outputs = backward(&images(&dy, n), &channels, None, Some(&xs))?;
            outputs.push(forward(&xs.iter().collect::<Vec<_>>())?);
            Ok(outputs)
        })
    });
    table.finish();
}

/// Channels of channels; channels that nothing writes keep their values.
#[test]
fn channels_of_channels() {
    let mut table = Table::new("concat");
    table.case("nested", || {
        let (x, before) = (Random(1).tensor([2, 2, 3, 5], -1.0, 1.0), Random(2).tensor([2, 9, 3, 5], -1.0, 1.0));
        let mut rig = Rig::default();
        let (x_slot, whole) = (rig.input("x", &x), rig.input("whole", &before));
        let dx = rig.output("dx", x.shape);
        // Channels 3 and 4 of the whole are written, 5 and 6 are read.
        let middle = whole.channels(2, 6)?;
        harness::forward(&mut rig.rec, &Concat, &[x_slot], middle.channels(1, 2)?)?;
        let into = [(dx, GradEpilogue::default())];
        harness::backward(&mut rig.rec, &Concat, middle.channels(3, 2)?, (&[dx], &[]), &into)?;
        let ready = rig.run()?;
        let split = concat::backward(&before, &[3, 2, 2, 2]);
        exact("whole", &ready.read(whole)?, &concat::forward(&[&split[0], &x, &split[2], &split[3]]))?;
        exact("dx", &ready.read(dx)?, &split[2])
    });
    table.finish();
}

#[test]
fn what_it_does_not_take() {
    let mut table = Table::new("concat");
    let mut rec = Recording::new();
    let shape = Shape::new(2, 10, 3, 5);
    let texels = ops::Tensor::transient_texels(&mut rec, "texels", shape);
    let [whole, x] = [10, 4].map(|c| ops::Tensor::transient(&mut rec, "t", Shape::new(2, c, 3, 5)));
    table.case("channels", || {
        let none = |part: Result<ops::Tensor>| refused("channels", part, "in place: it is");
        for (first, count) in [(7, 4), (11, 0), (0, 11), (usize::MAX, 2)] {
            none(whole.channels(first, count))?;
        }
        // Counted in the part, not in the whole.
        none(whole.channels(2, 4)?.channels(3, 2))?;
        // Texels begin with a quad and end with one, or with the last.
        for (first, count) in [(2, 4), (1, 9), (0, 6), (4, 3), (8, 4)] {
            none(texels.channels(first, count))?;
        }
        for (first, count) in [(0, 10), (0, 4), (4, 4), (4, 6), (8, 2)] {
            let part = texels.channels(first, count)?;
            assert_eq!(part.shape, Shape::new(2, count, 3, 5));
        }
        Ok(())
    });
    table.case("shapes", || {
        let shapes = |a, b| Concat.output("block", &[Shape::from(a), Shape::from(b)]);
        assert_eq!(shapes([2, 3, 4, 5], [2, 1, 4, 5])?, Shape::new(2, 4, 4, 5));
        for other in [[1, 1, 4, 5], [2, 1, 3, 5], [2, 1, 4, 6]] {
            refused("output", shapes([2, 3, 4, 5], other), "concat (block): ")?;
        }
        refused("output", Concat.output("block", &[]), "nothing to concatenate")?;
        let part = whole.channels(3, 5)?;
        refused("forward", harness::forward(&mut rec, &Concat, &[x], part), "concat (concat): y is")?;
        let into = [(x, GradEpilogue::default())];
        let backward = harness::backward(&mut rec, &Concat, part, (&[x], &[]), &into);
        refused("backward", backward, "concat (concat): dy is")
    });
    table.case("texels", || {
        let part = texels.channels(4, 4)?;
        refused("forward", harness::forward(&mut rec, &Concat, &[x], part), "in buffers")?;
        let into = [(x, GradEpilogue::default())];
        refused("backward", harness::backward(&mut rec, &Concat, part, (&[x], &[]), &into), "in buffers")
    });
    table.finish();
}
