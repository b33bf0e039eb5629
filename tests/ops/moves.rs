//! permute, slice, pad, expand, gather, cat and reshape: exactly the elements that their formulas say, and the gradient.

use protogpu::Shape;
use protogpu::gpu::Recording;
use protogpu::graph::{Graph, Retain};
use protogpu::ops::{Cat, ConvAlgorithm, ConvAlgorithms, Move, Op, PadMode, Range, Reduce, Reduction, Relu, Reshape};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, adjoint, backward_nd, batch_independent, by, close, epilogue_name, exact,
    finished, forward_nd, refused, root,
};
use crate::tests::twin::moves::{self, Place, along, both, reflected};
use crate::tests::twin::nd::Nd;
use crate::tests::twin::random::Random;

/// An op, the shape of its input, where it reads, and the number outside.
struct Case {
    name: &'static str,
    op: Move,
    x: Vec<usize>,
    y: Vec<usize>,
    p: Place,
    value: f64,
}

fn case(name: &'static str, op: Move, x: &[usize], y: &[usize], p: Place) -> Case {
    Case { name, op, x: x.to_vec(), y: y.to_vec(), p, value: 0.0 }
}

fn range(axis: usize, start: i64, end: i64, step: i64) -> Range {
    Range { axis, start, end, step }
}

fn pads(pads: &[[i64; 2]], mode: PadMode) -> Move {
    Move::Pad { pads: pads.to_vec(), mode }
}

const END: i64 = i64::MAX;

fn cases() -> Vec<Case> {
    let image = [2, 3, 5, 7];
    let keep: fn() -> Place = || along(9, |k| k);
    vec![
        case(
            "channels last",
            Move::Permute(vec![0, 2, 3, 1]),
            &image,
            &[2, 5, 7, 3],
            Box::new(|k| [k[0], k[3], k[1], k[2]].map(|k| k as i64).to_vec()),
        ),
        case(
            "transpose",
            Move::Permute(vec![0, 2, 1]),
            &[2, 65, 3],
            &[2, 3, 65],
            Box::new(|k| [k[0], k[2], k[1]].map(|k| k as i64).to_vec()),
        ),
        case(
            "six axes",
            Move::Permute(vec![0, 4, 2, 5, 1, 3]),
            &[2, 2, 3, 1, 4, 5],
            &[2, 4, 3, 5, 2, 1],
            Box::new(|k| [k[0], k[4], k[2], k[5], k[1], k[3]].map(|k| k as i64).to_vec()),
        ),
        case("one axis", Move::Permute(vec![0]), &[4], &[4], keep()),
        case("no axis", Move::Permute(vec![]), &[], &[], keep()),
        case("middle", Move::Slice(vec![range(3, 1, 6, 1)]), &image, &[2, 3, 5, 5], along(3, |k| k + 1)),
        case("every other", Move::Slice(vec![range(2, 1, END, 2)]), &image, &[2, 3, 2, 7], along(2, |k| 2 * k + 1)),
        case("flip", Move::Slice(vec![range(3, -1, i64::MIN, -1)]), &image, &[2, 3, 5, 7], along(3, |k| 6 - k)),
        case("back by two", Move::Slice(vec![range(3, 5, 0, -2)]), &image, &[2, 3, 5, 3], along(3, |k| 5 - 2 * k)),
        case("from the end", Move::Slice(vec![range(1, -1, END, 1)]), &image, &[2, 1, 5, 7], along(1, |k| k + 2)),
        case("last two rows", Move::Slice(vec![range(2, -2, 99, 1)]), &image, &[2, 3, 2, 7], along(2, |k| k + 3)),
        case(
            "two axes",
            Move::Slice(vec![range(2, 0, -1, 3), range(3, 6, -7, -1)]),
            &image,
            &[2, 3, 2, 6],
            Box::new(|k| vec![k[0] as i64, k[1] as i64, 3 * k[2] as i64, 6 - k[3] as i64]),
        ),
        Case {
            value: 0.25,
            ..case(
                "constant",
                pads(&[[0, 0], [0, 2], [1, 0], [3, 1]], PadMode::Constant(0.25)),
                &image,
                &[2, 5, 6, 11],
                Box::new(|k| vec![k[0] as i64, k[1] as i64, k[2] as i64 - 1, k[3] as i64 - 3]),
            )
        },
        case(
            "crop",
            pads(&[[0, 0], [0, 0], [-1, 2], [-2, -1]], PadMode::Constant(0.0)),
            &image,
            &[2, 3, 6, 4],
            Box::new(|k| vec![k[0] as i64, k[1] as i64, k[2] as i64 + 1, k[3] as i64 + 2]),
        ),
        case(
            "reflect",
            pads(&[[0, 0], [0, 0], [4, 1], [2, 6]], PadMode::Reflect),
            &image,
            &[2, 3, 10, 15],
            both(along(2, |k| reflected(k - 4, 5)), along(3, |k| reflected(k - 2, 7))),
        ),
        case(
            "replicate",
            pads(&[[0, 0], [0, 0], [2, 3], [9, 1]], PadMode::Replicate),
            &image,
            &[2, 3, 10, 17],
            Box::new(|k| vec![k[0] as i64, k[1] as i64, (k[2] as i64 - 2).clamp(0, 4), (k[3] as i64 - 9).clamp(0, 6)]),
        ),
        case(
            "circular",
            pads(&[[0, 0], [0, 0], [2, 3], [9, -1]], PadMode::Circular),
            &image,
            &[2, 3, 10, 15],
            Box::new(|k| vec![k[0] as i64, k[1] as i64, (k[2] as i64 + 3) % 5, (k[3] as i64 + 5) % 7]),
        ),
        case(
            "expand",
            Move::Expand(vec![3, 5, 7]),
            &[2, 3, 1, 1],
            &[2, 3, 5, 7],
            Box::new(|k| vec![k[0] as i64, k[1] as i64, 0, 0]),
        ),
        case(
            "expand by ones",
            Move::Expand(vec![4, 1]),
            &[2, 1, 3],
            &[2, 4, 3],
            Box::new(|k| vec![k[0] as i64, 0, k[2] as i64]),
        ),
        case(
            "gather",
            Move::Gather { axis: 1, indices: vec![2, 0, 2, 2] },
            &image,
            &[2, 4, 5, 7],
            along(1, |k| [2, 0, 2, 2][k as usize]),
        ),
    ]
}

#[test]
fn moves() {
    let mut table = Table::new("moves");
    for Case { name, op, x: x_shape, y: y_shape, p, value } in &cases() {
        let mut random = Random(1);
        let [x, add, mask] = [0; 3].map(|_| Nd::random(&mut random, x_shape, -1.0, 1.0));
        let dy = Nd::random(&mut random, y_shape, -1.0, 1.0);
        let name = format!("{} {name} {}", op.name(), by(x_shape));
        table.case(format!("forward {name}"), || {
            let y = forward_nd(op, &[&x])?;
            assert_eq!(y.shape, *y_shape, "{name}");
            exact("y", &y.flat(), &moves::forward(&x, y_shape, p, *value).flat())
        });
        let k = root(dy.data.len());
        for parts in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name(parts)), || {
                let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
                let dx = backward_nd(op, &dy, (&[&x], [add, mask]))?.remove(0);
                let plain = moves::backward(&dy, &x, p).flat();
                let want = finished(&plain, add.map(Nd::flat).as_ref(), mask.map(Nd::flat).as_ref());
                let size = moves::backward(&dy.map(f64::abs), &x, p).map(|v| v + 1.0).flat();
                close("dx", &dx.flat(), &want, &size, k)
            });
        }
        // These ops are linear but for the constant, so that the adjoint says what central differences would.
        table.case(format!("adjoint {name}"), || {
            let y = forward_nd(op, &[&x])?;
            let outside = moves::forward(&x.map(|_| 0.0), y_shape, p, *value);
            let y = y.flat().zip(&outside.flat(), |y, outside| y - outside);
            let dx = backward_nd(op, &dy, (&[&x], [None; 2]))?.remove(0);
            adjoint([&dy.flat(), &y], [&dx.flat(), &x.flat()], dy.data.len() as f64, k)
        });
    }
    table.case("batch", || {
        let op = pads(&[[0, 0], [0, 0], [2, 1], [3, 3]], PadMode::Reflect);
        let mut random = Random(2);
        let [x, dy] = [[3, 2, 5, 7], [3, 2, 8, 13]].map(|shape| Nd::random(&mut random, &shape, -1.0, 1.0));
        batch_independent(|n| {
            let (x, dy) = (x.images(n), dy.images(n));
            Ok(vec![forward_nd(&op, &[&x])?.flat(), backward_nd(&op, &dy, (&[&x], [None; 2]))?.remove(0).flat()])
        })
    });
    table.case("refusals", || {
        let x = Shape::new(2, 3, 5, 7);
        let none = [0; 2];
        for (op, part) in [
            (Move::Permute(vec![1, 0, 2, 3]), "must have each axis once, and first the batch"),
            (Move::Permute(vec![0, 1, 2]), "must have each axis once"),
            (Move::Slice(vec![range(0, 0, 1, 1)]), "must have an axis of its own other than the batch"),
            (Move::Slice(vec![range(2, 0, 1, 0)]), "and a step"),
            (Move::Slice(vec![range(2, 3, 3, 1)]), "y is [2,3,0,7]: it must have between 1 and"),
            (pads(&[[1, 0], none, none, none], PadMode::Reflect), "none for the batch"),
            (pads(&[none, none, [5, 0], none], PadMode::Reflect), "no Reflect of [5, 0] along axis 2"),
            (pads(&[none, none, [-3, -2], none], PadMode::Reflect), "y is [2,3,0,7]"),
            (pads(&[none, none, [i64::MAX, 1], none], PadMode::Replicate), "no Replicate of"),
            (Move::Expand(vec![3, 4, 7]), "an extent of 5 cannot become 4"),
            (Move::Expand(vec![3, 5, usize::MAX]), "an extent of 7 cannot become"),
            (Move::Expand(vec![3, 5]), "it cannot become [3, 5] without the batch"),
            (Move::Gather { axis: 2, indices: vec![0, 5] }, "no [0, 5] along axis 2"),
        ] {
            refused(op.name(), op.output("l", &[x]), part)?;
        }
        Ok(())
    });
    table.finish();
}

#[test]
fn concatenations() {
    let mut table = Table::new("cat");
    let cases: [(usize, &[&[usize]]); 4] = [
        (1, &[&[3, 2, 5, 7], &[3, 1, 5, 7], &[3, 4, 5, 7]]),
        (3, &[&[3, 2, 3, 5], &[3, 2, 3, 1]]),
        // A class token before 65 others.
        (1, &[&[3, 1, 4], &[3, 65, 4]]),
        (4, &[&[3, 2, 1, 2, 3, 2], &[3, 2, 1, 2, 1, 2]]),
    ];
    for (axis, shapes) in cases {
        let op = Cat { axis };
        let mut random = Random(1);
        let xs: Vec<Nd> = shapes.iter().map(|shape| Nd::random(&mut random, shape, -1.0, 1.0)).collect();
        let mut shape = shapes[0].to_vec();
        shape[axis] = shapes.iter().map(|shape| shape[axis]).sum();
        let dy = Nd::random(&mut random, &shape, -1.0, 1.0);
        let name = format!("axis {axis} to {}", by(&shape));
        // Input i holds the places from `first` on.
        let firsts: Vec<usize> =
            shapes.iter().scan(0, |at, shape| Some(std::mem::replace(at, *at + shape[axis]))).collect();
        let part = |whole: &Nd, i: usize| {
            let mut x = Nd::filled(shapes[i], 0.0);
            for (at, mut index) in x.indices().into_iter().enumerate() {
                index[axis] += firsts[i];
                x.data[at] = whole.data[whole.at(&index)];
            }
            x
        };
        table.case(format!("forward {name}"), || {
            let y = forward_nd(&op, &xs.iter().collect::<Vec<_>>())?;
            assert_eq!(y.shape, shape);
            xs.iter().enumerate().try_for_each(|(i, x)| exact("its part of y", &part(&y, i).flat(), &x.flat()))
        });
        let largest = xs.iter().map(|x| x.data.len()).max().unwrap_or_default();
        let [add, mask] = [0; 2].map(|_| Nd::random(&mut random, &[1, largest], -1.0, 1.0));
        for parts in EPILOGUES {
            table.case(format!("backward {name}{}", epilogue_name(parts)), || {
                let [add, mask] = [(parts[0], &add), (parts[1], &mask)].map(|(on, part)| on.then_some(part));
                let dxs = backward_nd(&op, &dy, (&xs.iter().collect::<Vec<_>>(), [add, mask]))?;
                for (i, dx) in dxs.iter().enumerate() {
                    let of = |whole: Option<&Nd>| whole.map(|whole| xs[i].with_first_of(whole).flat());
                    let want = finished(&part(&dy, i).flat(), of(add).as_ref(), of(mask).as_ref());
                    exact("dx", &dx.flat(), &want.map(|v| f64::from(v as f32)))?;
                }
                Ok(())
            });
        }
    }
    table.case("refusals", || {
        let x = Shape::new(2, 3, 5, 7);
        refused(
            "batch",
            Cat { axis: 0 }.output("l", &[x, x]),
            "axis 0 of x [2,3,5,7] must be there, and not be the batch",
        )?;
        refused("rank", Cat { axis: 4 }.output("l", &[x, x]), "axis 4 of x")?;
        refused("other", Cat { axis: 2 }.output("l", &[x, Shape::new(2, 3, 1, 6)]), "[2,3,1,6] beside [2,3,5,7]")
    });
    table.finish();
}

#[test]
fn reshapes() {
    let mut table = Table::new("reshape");
    let shape = |extents: &[usize]| Shape::of(extents).expect("a shape");
    table.case("shapes", || {
        let x = Shape::new(2, 3, 4, 5);
        for (to, want) in [
            (vec![-1], &[2, 60][..]),
            (vec![0, -1], &[2, 3, 20]),
            (vec![-1, 0, 5], &[2, 3, 4, 5]),
            (vec![5, 2, 6], &[2, 5, 2, 6]),
            (vec![3, 1, -1, 2, 2], &[2, 3, 1, 5, 2, 2]),
        ] {
            assert_eq!(Reshape(to).output("l", &[x])?, shape(want));
        }
        for to in [vec![-1, -1], vec![7, -1], vec![59], vec![-2, 30], vec![60, 0, 0, 0], vec![0, 0, 0, 0]] {
            refused("reshape", Reshape(to).output("l", &[x]), "x [2,3,4,5] cannot become")?;
        }
        refused("scalar", Reshape(vec![1]).output("l", &[shape(&[])]), "x [] cannot become [1]")
    });
    table.case("alone", || {
        let x = Nd::random(&mut Random(1), &[2, 3, 4, 5], -1.0, 1.0);
        let op = Reshape(vec![-1]);
        let y = forward_nd(&op, &[&x])?;
        exact("y", &y.flat(), &x.flat())?;
        let dx = backward_nd(&op, &y, (&[&x], [None; 2]))?.remove(0);
        assert_eq!(dx.shape, x.shape);
        exact("dx", &dx.flat(), &x.flat())
    });
    for retain in [Retain::Needed, Retain::All] {
        table.case(format!("in a graph, {retain:?}"), || in_a_graph(retain));
    }
    table.finish();
}

/// relu, then a sum over the plane after a reshape, and the same relu once more: y is the reshape of what relu wrote, and its gradient is added
/// to that of the other reader. Only the ops that compute are dispatched.
fn in_a_graph(retain: Retain) -> Outcome {
    let mut graph = Graph::new(Shape::new(1, 3, 4, 5));
    let relu = graph.push("relu", Relu, &[graph.input()])?;
    let flat = graph.push("flat", Reshape(vec![0, -1]), &[relu])?;
    let back = graph.push("back", Reshape(vec![0, 4, 5]), &[flat])?;
    let both = graph.push("both", Cat { axis: 1 }, &[relu, back])?;
    graph.push("sum", Reduce { reduction: Reduction::Sum, axes: vec![2, 3], keepdim: false }, &[both])?;
    let mut rig = Rig::default();
    let mut random = Random(1);
    let (x, dy) = (Nd::random(&mut random, &[2, 3, 4, 5], -1.0, 1.0), Nd::random(&mut random, &[2, 6], -1.0, 1.0));
    let (x_slot, dy_slot) = (rig.input_nd("x", &x), rig.input_nd("dy", &dy));
    let only = ConvAlgorithms::only(harness::gpu().capabilities(), ConvAlgorithm::Workgroup { slices: 1 });
    let rec: &mut Recording = &mut rig.rec;
    let acts = graph.record_forward(rec, &only, x_slot, retain)?;
    assert_eq!(acts.of(relu).id, acts.of(back).id);
    // relu, two parts of the concatenation, the sum.
    assert_eq!(rec.commands().len(), 4);
    let dx = graph.record_backward(rec, &only, &acts, dy_slot)?;
    // The sum, the two parts of which the second is delivered through two reshapes to the first, the sum of both, relu.
    assert!(rec.commands().len() <= 4 + 5, "{}", rec.commands().len());
    let kept = rig.output_nd("kept", x_slot.shape);
    harness::forward(&mut rig.rec, &Reshape(vec![3, 4, 5]), &[dx], kept)?;
    let got = rig.run()?.read_nd(kept)?;
    let mut want = Nd::filled(&x.shape, 0.0);
    for (i, index) in want.indices().iter().enumerate() {
        let (n, c) = (index[0], index[1]);
        want.data[i] = if x.data[i] > 0.0 { dy.data[6 * n + c] + dy.data[6 * n + 3 + c] } else { 0.0 };
    }
    close("dx", &got.flat(), &want.flat(), &want.map(|v| v.abs() + 1.0).flat(), 1.0)
}
