//! conv2d: every algorithm over geometries that do not fit its tiles.

use std::sync::Arc;

use protogpu::Shape;
use protogpu::ops::{Conv2d, ConvAlgorithm, Direction, Format, Fusable, Op, TexelsAlgorithm, Tile};

use crate::tests::harness::{
    self, EPILOGUES, Outcome, Rig, Table, adjoint, bare, batch_independent, by, close, epilogue_name, exact, finished,
    gpu, gradient, images, on, root,
};
use crate::tests::twin::Tensor;
use crate::tests::twin::conv2d::Window;
use crate::tests::twin::random::Random;

/// Shapes of x and w, stride, pad.
pub(super) type Geometry = ([usize; 4], [usize; 4], [usize; 2], [usize; 4]);

/// Tiles are 64 columns (pixels of the whole batch) by 4, 8, 16, 32 or 64 rows (channels out; backward: channels in).
const GEOMETRIES: [Geometry; 22] = [
    // Odd and all different.
    ([2, 3, 17, 9], [5, 3, 3, 2], [2, 1], [1, 0, 2, 1]),
    // 63, 64 and 65 columns, around 4, 8 and 16 rows.
    ([1, 3, 7, 9], [3, 3, 1, 1], [1, 1], [0; 4]),
    ([2, 4, 8, 4], [8, 4, 1, 1], [1, 1], [0; 4]),
    ([1, 5, 5, 13], [9, 5, 1, 1], [1, 1], [0; 4]),
    // Around 32 and 64 rows, both ways; sums of 153 and 279 terms, no multiple of the workgroup's 16.
    ([3, 31, 5, 6], [33, 31, 3, 3], [1, 1], [1; 4]),
    ([1, 32, 6, 7], [32, 32, 1, 3], [1, 1], [0, 1, 0, 1]),
    ([2, 17, 4, 9], [65, 17, 3, 3], [1, 1], [1; 4]),
    ([1, 64, 3, 5], [4, 64, 2, 2], [1, 1], [0, 0, 1, 1]),
    // ResNet's stem.
    ([2, 3, 19, 21], [9, 3, 7, 7], [2, 2], [3; 4]),
    // Stride 2 that covers all of x, that leaves the last row and column out, and with a 1x1 window.
    ([2, 3, 9, 11], [6, 3, 3, 3], [2, 2], [1; 4]),
    ([2, 2, 8, 10], [5, 2, 3, 3], [2, 2], [0; 4]),
    ([2, 4, 7, 10], [7, 4, 1, 1], [2, 2], [0; 4]),
    // Windows smaller than both strides, and than one of them.
    ([2, 3, 11, 13], [4, 3, 2, 2], [3, 4], [1, 0, 0, 2]),
    ([1, 2, 9, 8], [3, 2, 1, 5], [4, 2], [0, 3, 1, 2]),
    // Around eight channels: with fewer, the backward folds residues into rows.
    ([2, 7, 9, 8], [5, 7, 3, 2], [2, 3], [1, 0, 2, 1]),
    ([2, 8, 9, 8], [5, 8, 3, 2], [2, 3], [1, 0, 2, 1]),
    ([2, 9, 8, 11], [6, 9, 3, 3], [2, 2], [1; 4]),
    ([1, 11, 7, 10], [4, 11, 1, 1], [2, 2], [0; 4]),
    // Residues without a position.
    ([2, 9, 1, 6], [5, 9, 3, 3], [2, 2], [1; 4]),
    // Fewer rows than strides; padding wider than the window; a window as large as x.
    ([3, 2, 1, 6], [3, 2, 1, 3], [2, 2], [0, 1, 0, 1]),
    ([2, 1, 3, 4], [2, 1, 3, 2], [1, 2], [4, 3, 3, 5]),
    ([2, 3, 4, 5], [2, 3, 4, 5], [1, 1], [0; 4]),
];

/// Groups and dilation: shapes of x and w, stride, pad, dilation, groups.
const GROUPED: [([usize; 4], [usize; 4], Window); 11] = {
    const fn of(stride: [usize; 2], pad: [usize; 4], dilation: [usize; 2], groups: usize) -> Window {
        Window { stride, pad, dilation, groups }
    }
    [
        // Depthwise: channels that are no multiple of four; strides; 5x5 windows; several outputs for each channel.
        ([2, 6, 7, 9], [6, 1, 3, 3], of([1, 1], [1; 4], [1, 1], 6)),
        ([2, 9, 8, 11], [9, 1, 3, 3], of([2, 2], [0, 0, 1, 1], [1, 1], 9)),
        ([1, 8, 13, 5], [8, 1, 5, 3], of([2, 1], [2, 1, 2, 1], [1, 1], 8)),
        ([2, 5, 6, 7], [10, 1, 3, 2], of([1, 2], [1, 0, 1, 2], [1, 1], 5)),
        // Groups of whole texels, and of parts of them.
        ([2, 8, 5, 6], [16, 4, 3, 3], of([1, 1], [1; 4], [1, 1], 2)),
        ([1, 24, 6, 9], [12, 8, 1, 1], of([2, 3], [0; 4], [1, 1], 3)),
        ([2, 6, 5, 7], [9, 2, 3, 1], of([1, 2], [1, 0, 1, 0], [1, 1], 3)),
        // Dilation, alone and with stride and groups; a window wider than its padded x in one axis but for its taps.
        ([2, 3, 9, 11], [5, 3, 3, 3], of([1, 1], [2; 4], [2, 2], 1)),
        ([1, 5, 10, 13], [7, 5, 3, 2], of([2, 3], [1, 3, 4, 0], [3, 4], 1)),
        ([2, 4, 11, 8], [4, 1, 3, 3], of([2, 1], [2, 3, 2, 3], [2, 3], 4)),
        ([1, 8, 9, 7], [8, 4, 2, 3], of([3, 2], [0, 2, 1, 2], [4, 2], 2)),
    ]
};

pub(super) struct Case {
    pub(super) x: Tensor,
    w: Tensor,
    b: Vec<f64>,
    pub(super) dy: Tensor,
    window: Window,
}

impl Case {
    pub(super) fn new((x, w, stride, pad): Geometry) -> Self {
        Self::of(x, w, Window::dense(stride, pad))
    }

    fn of(x_shape: [usize; 4], w_shape: [usize; 4], window: Window) -> Self {
        let mut random = Random(1);
        let mut draw = |shape| random.tensor(shape, -1.0, 1.0);
        let (x, w) = (draw(x_shape), draw(w_shape));
        let dy = draw(window.out_shape(x_shape, w_shape));
        Self { b: random.vec(w_shape[0], -1.0, 1.0), x, w, dy, window }
    }

    pub(super) fn name(&self, algorithm: ConvAlgorithm) -> String {
        let Window { stride, pad: [top, left, bottom, right], dilation, groups } = self.window;
        let (x, o, window, stride) = (by(&self.x.shape), self.w.shape[0], by(&self.w.shape[2..]), by(&stride));
        let dilated = if dilation == [1, 1] { String::new() } else { format!(" d{}", by(&dilation)) };
        let grouped = if groups == 1 { String::new() } else { format!(" g{groups}") };
        format!("{x} o{o} k{window} s{stride} p{top},{left},{bottom},{right}{dilated}{grouped} {}", name_of(algorithm))
    }

    pub(super) fn conv(&self, bias: bool) -> Conv2d {
        let b = bias.then(|| self.b.iter().map(|&b| b as f32).collect());
        let Window { stride, pad, dilation, groups } = self.window;
        Conv2d { dilation, groups, ..Conv2d::new(self.w.to_f32(), self.w.shape, b, stride, pad) }
    }

    /// The convolution with the parts that a graph would fuse into it.
    pub(super) fn op(&self, bias: bool, residual: bool, relu: bool) -> Arc<dyn Op> {
        let parts = [(residual, Fusable::Add), (relu, Fusable::Relu)];
        let mut op: Arc<dyn Op> = Arc::new(self.conv(bias));
        for (_, part) in parts.into_iter().filter(|(wanted, _)| *wanted) {
            op = op.absorb(&part).expect("a convolution absorbs it");
        }
        op
    }

    /// The algorithms that this adapter runs and that fit the geometry.
    pub(super) fn algorithms(&self) -> Vec<ConvAlgorithm> {
        let key = self.conv(false).key(Shape::from(self.x.shape), Direction::Forward);
        algorithms().into_iter().filter(|v| v.fits(&key)).collect()
    }

    /// y for these images, with some parts of the epilogue.
    pub(super) fn forward(&self, x: &Tensor, algorithm: ConvAlgorithm, with: Parts) -> Outcome<Tensor> {
        let mut rig = Rig::default();
        let x_slot = rig.input_as(with.formats[0], "x", x)?;
        let y = rig.output_as(with.formats[1], "y", self.window.out_shape(x.shape, self.w.shape));
        let mut xs = vec![x_slot];
        if let Some(residual) = with.residual {
            xs.push(rig.input_as(with.formats[1], "add", residual)?);
        }
        let op = self.op(with.bias, with.residual.is_some(), with.relu);
        harness::forward_by(algorithm, &mut rig.rec, &*op, &xs, y)?;
        rig.run()?.read(y)
    }

    pub(super) fn backward(
        &self,
        dy: &Tensor,
        algorithm: ConvAlgorithm,
        add: Option<&Tensor>,
        mask: Option<&Tensor>,
    ) -> Outcome<Tensor> {
        self.backward_as([Format::Nchw; 2], dy, algorithm, [add, mask])
    }

    fn backward_as(
        &self,
        formats: [Format; 2],
        dy: &Tensor,
        algorithm: ConvAlgorithm,
        epilogue: [Option<&Tensor>; 2],
    ) -> Outcome<Tensor> {
        let mut rig = Rig::default();
        let dy_slot = rig.input_as(formats[0], "dy", dy)?;
        let [_, c, h, w] = self.x.shape;
        let dx = rig.output_as(formats[1], "dx", [dy.shape[0], c, h, w]);
        let epilogue = rig.epilogue(formats[1], epilogue)?;
        harness::backward_by(algorithm, &mut rig.rec, &self.conv(true), dy_slot, (dx, epilogue))?;
        rig.run()?.read(dx)
    }

    pub(super) fn twin_forward(&self, x: &Tensor, bias: bool) -> Tensor {
        self.window.forward(x, &self.w, bias.then_some(&self.b[..]))
    }

    pub(super) fn twin_backward(&self) -> Tensor {
        self.window.backward(&self.dy, &self.w, self.x.shape)
    }

    /// The same with the absolute value of every number, for sums of magnitudes.
    pub(super) fn magnitudes(&self) -> Self {
        let abs = |t: &Tensor| t.map(f64::abs);
        let b = self.b.iter().map(|b| b.abs()).collect();
        Self { x: abs(&self.x), w: abs(&self.w), dy: abs(&self.dy), b, window: self.window }
    }

    /// √(C·KH·KW), or √(O·KH·KW) for the backward, whichever is larger.
    pub(super) fn k(&self) -> f64 {
        let [o, c, kh, kw] = self.w.shape;
        root(o.max(c) * kh * kw)
    }
}

/// The parts of an epilogue.
#[derive(Clone, Copy)]
pub(super) struct Parts<'a> {
    /// Of x and of y.
    pub(super) formats: [Format; 2],
    pub(super) bias: bool,
    pub(super) residual: Option<&'a Tensor>,
    pub(super) relu: bool,
}

impl Default for Parts<'_> {
    fn default() -> Self {
        Self { formats: [Format::Nchw; 2], bias: false, residual: None, relu: false }
    }
}

pub(super) fn name_of(algorithm: ConvAlgorithm) -> String {
    match algorithm {
        ConvAlgorithm::Subgroup { row_groups } => format!("subgroup{row_groups}"),
        ConvAlgorithm::Workgroup { slices } => format!("workgroup{slices}"),
        ConvAlgorithm::Winograd(Tile::F2x3) => "winograd2".to_owned(),
        ConvAlgorithm::Winograd(Tile::F4x3) => "winograd4".to_owned(),
        ConvAlgorithm::Window => "window".to_owned(),
        ConvAlgorithm::Texels(TexelsAlgorithm::Window) => "texels-window".to_owned(),
        ConvAlgorithm::Texels(TexelsAlgorithm::Direct) => "texels".to_owned(),
        ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(Tile::F2x3)) => "texels-winograd2".to_owned(),
        ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(Tile::F4x3)) => "texels-winograd4".to_owned(),
    }
}

/// The algorithms that this adapter runs.
pub(super) fn algorithms() -> Vec<ConvAlgorithm> {
    let subgroup = [1, 2, 4, 8].map(|row_groups| ConvAlgorithm::Subgroup { row_groups });
    let mut algorithms = [1, 3].map(|slices| ConvAlgorithm::Workgroup { slices }).to_vec();
    algorithms.extend([Tile::F2x3, Tile::F4x3].map(ConvAlgorithm::Winograd));
    algorithms.push(ConvAlgorithm::Window);
    match gpu().capabilities().subgroup_size {
        Some(8) => algorithms.extend(subgroup),
        other => println!("conv2d: subgroups are {other:?} here, not 8, so that only the workgroup algorithms run"),
    }
    if gpu().capabilities().prefers_texels() {
        let tiles = [Tile::F2x3, Tile::F4x3].map(TexelsAlgorithm::Winograd);
        let all = [TexelsAlgorithm::Direct, TexelsAlgorithm::Window, tiles[0], tiles[1]];
        algorithms.extend(all.map(ConvAlgorithm::Texels));
    } else {
        println!(
            "conv2d: this is no software adapter that reads textures, so that the algorithms over texels do not run"
        );
    }
    algorithms
}

/// The rounding errors of an algorithm relative to those of a plain sum: the largest entries of Winograd's matrices.
pub(super) fn growth(algorithm: ConvAlgorithm) -> f64 {
    match algorithm {
        ConvAlgorithm::Winograd(tile) | ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(tile)) => match tile {
            Tile::F2x3 => 4.0,
            Tile::F4x3 => 100.0,
        },
        _ => 1.0,
    }
}

#[test]
fn geometries() {
    run_geometries();
}

/// A host's device without subgroups, timestamps, textures to read or limits beyond the defaults.
#[test]
fn with_fewer_features() {
    let context = bare();
    assert!(context.device().features().is_empty() && !context.has_timestamps());
    let capabilities = context.capabilities();
    assert!(capabilities.subgroup_size.is_none() && !capabilities.texels, "{capabilities:?}");
    on(context, || {
        let anywhere = |v: &ConvAlgorithm| match v {
            ConvAlgorithm::Workgroup { .. } | ConvAlgorithm::Winograd(_) | ConvAlgorithm::Window => true,
            ConvAlgorithm::Subgroup { .. } | ConvAlgorithm::Texels(_) => false,
        };
        assert!(algorithms().iter().all(anywhere));
        run_geometries();
        run_epilogues();
    });
}

fn run_geometries() {
    let mut table = Table::new("conv2d");
    let grouped = GROUPED.map(|(x, w, window)| Case::of(x, w, window));
    for case in GEOMETRIES.map(Case::new).into_iter().chain(grouped) {
        let magnitudes = case.magnitudes();
        let (y, dx) = (case.twin_forward(&case.x, true), case.twin_backward());
        let (y_size, dx_size) = (magnitudes.twin_forward(&magnitudes.x, true), magnitudes.twin_backward());
        for algorithm in case.algorithms() {
            let (name, k) = (case.name(algorithm), growth(algorithm) * case.k());
            let with = Parts { bias: true, ..Parts::default() };
            table.case(format!("forward {name}"), || {
                close("y", &case.forward(&case.x, algorithm, with)?, &y, &y_size, k)
            });
            table.case(format!("backward {name}"), || {
                close("dx", &case.backward(&case.dy, algorithm, None, None)?, &dx, &dx_size, k)
            });
            table.case(format!("adjoint {name}"), || {
                let y = case.forward(&case.x, algorithm, Parts::default())?;
                let dx = case.backward(&case.dy, algorithm, None, None)?;
                adjoint([&case.dy, &y], [&dx, &case.x], dx_size.dot(&magnitudes.x), k)
            });
        }
    }
    table.finish();
}

#[test]
fn central_differences() {
    let mut table = Table::new("conv2d");
    let small: [Geometry; 2] =
        [([1, 2, 5, 7], [3, 2, 3, 2], [2, 1], [1, 0, 2, 1]), ([2, 3, 4, 3], [2, 3, 2, 2], [1, 3], [0, 1, 1, 0])];
    let dilated = Window { dilation: [2, 1], groups: 2, ..Window::dense([2, 1], [1, 0, 2, 1]) };
    let grouped = Case::of([1, 4, 5, 7], [6, 2, 3, 2], dilated);
    for case in small.map(Case::new).into_iter().chain([grouped]) {
        for algorithm in case.algorithms() {
            table.case(format!("differences {}", case.name(algorithm)), || {
                let dx = case.backward(&case.dy, algorithm, None, None)?;
                let weighted = |x: &Tensor| case.dy.dot(&case.twin_forward(x, true));
                gradient(&dx, &case.x, &case.magnitudes().twin_backward(), case.k(), weighted)
            });
        }
    }
    table.finish();
}

#[test]
fn epilogues_forward_and_backward() {
    run_epilogues();
}

fn run_epilogues() {
    let mut table = Table::new("conv2d");
    let case = Case::new(([2, 5, 7, 9], [6, 5, 3, 3], [2, 2], [1; 4]));
    let mut random = Random(2);
    let residual = random.tensor(case.dy.shape, -4.0, 4.0);
    let [add, mask] = [0, 1].map(|_| random.tensor(case.x.shape, -1.0, 1.0));
    let magnitudes = case.magnitudes();
    for algorithm in case.algorithms() {
        for parts in 0..8 {
            let [bias, adds, relu] = [1, 2, 4].map(|bit| parts & bit != 0);
            let parts = [(bias, " bias"), (adds, " residual"), (relu, " relu")];
            let named: String = parts.iter().filter(|p| p.0).map(|p| p.1).collect();
            table.case(format!("forward {}{named}", case.name(algorithm)), || {
                let with = Parts { bias, residual: adds.then_some(&residual), relu, ..Parts::default() };
                let sum = finished(&case.twin_forward(&case.x, bias), with.residual, None);
                let want = if relu { sum.map(|y| y.max(0.0)) } else { sum };
                let size = magnitudes.twin_forward(&magnitudes.x, bias).map(|y| y + 4.0);
                close("y", &case.forward(&case.x, algorithm, with)?, &want, &size, case.k())
            });
        }
        for [adds, masks] in EPILOGUES {
            table.case(format!("backward {}{}", case.name(algorithm), epilogue_name([adds, masks])), || {
                let (add, mask) = (adds.then_some(&add), masks.then_some(&mask));
                let dx = case.backward(&case.dy, algorithm, add, mask)?;
                let size = magnitudes.twin_backward().map(|dx| dx + 1.0);
                close("dx", &dx, &finished(&case.twin_backward(), add, mask), &size, case.k())
            });
        }
    }
    table.finish();
}

/// A convolution between neighbours in texels: its kernels store to textures and not to buffers.
#[test]
fn texels_in_and_out() {
    if !gpu().capabilities().prefers_texels() {
        return println!("conv2d: this is no software adapter that reads textures: nothing to compare");
    }
    let mut table = Table::new("conv2d");
    let geometries: [Geometry; 5] = [
        // For Winograd's tiles: fewer rows than a tile has, and some left over; channels that are no multiple of four.
        ([2, 5, 7, 9], [6, 5, 3, 3], [1, 1], [1; 4]),
        ([2, 9, 1, 2], [3, 9, 3, 3], [1, 1], [1, 2, 1, 0]),
        ([1, 4, 10, 5], [8, 4, 3, 3], [1, 1], [0, 3, 4, 0]),
        // Residues as phases, and as rows.
        ([2, 9, 8, 11], [6, 9, 3, 3], [2, 2], [1; 4]),
        ([2, 3, 19, 21], [9, 3, 7, 7], [2, 2], [3; 4]),
    ];
    let grouped = GROUPED.map(|(x, w, window)| Case::of(x, w, window));
    for case in geometries.map(Case::new).into_iter().chain(grouped) {
        let mut random = Random(2);
        let residual = random.tensor(case.dy.shape, -4.0, 4.0);
        let [add, mask] = [0, 1].map(|_| random.tensor(case.x.shape, -1.0, 1.0));
        let magnitudes = case.magnitudes();
        let texels = |v: &ConvAlgorithm| matches!(v, ConvAlgorithm::Texels(_));
        for (algorithm, [x_format, y_format]) in case.algorithms().into_iter().filter(texels).flat_map(|v| {
            let [n, t] = [Format::Nchw, Format::Texels];
            [[n, t], [t, n], [t, t]].map(|formats| (v, formats))
        }) {
            let name = format!("{} {x_format:?} {y_format:?}", case.name(algorithm));
            let k = growth(algorithm) * case.k();
            table.case(format!("forward {name}"), || {
                let formats = [x_format, y_format];
                let with = Parts { formats, bias: true, residual: Some(&residual), relu: true };
                let want = finished(&case.twin_forward(&case.x, true), with.residual, None).map(|y| y.max(0.0));
                let size = magnitudes.twin_forward(&magnitudes.x, true).map(|y| y + 4.0);
                close("y", &case.forward(&case.x, algorithm, with)?, &want, &size, k)
            });
            for [adds, masks] in EPILOGUES {
                table.case(format!("backward {name}{}", epilogue_name([adds, masks])), || {
                    let epilogue = [adds.then_some(&add), masks.then_some(&mask)];
                    let dx = case.backward_as([x_format, y_format], &case.dy, algorithm, epilogue)?;
                    let size = magnitudes.twin_backward().map(|dx| dx + 1.0);
                    close("dx", &dx, &finished(&case.twin_backward(), epilogue[0], epilogue[1]), &size, k)
                });
            }
        }
    }
    table.finish();
}

#[test]
fn an_image_does_not_know_its_batch() {
    let mut table = Table::new("conv2d");
    let geometry = |stride| ([3, 5, 7, 9], [6, 5, 3, 3], [stride; 2], [1; 4]);
    for (case, algorithm) in [1, 2].iter().flat_map(|&stride| {
        let case = Case::new(geometry(stride));
        case.algorithms().into_iter().map(move |algorithm| (Case::new(geometry(stride)), algorithm))
    }) {
        let mut random = Random(3);
        let residual = random.tensor(case.dy.shape, -1.0, 1.0);
        let [add, mask] = [0, 1].map(|_| random.tensor(case.x.shape, -1.0, 1.0));
        table.case(format!("batch {}", case.name(algorithm)), || {
            batch_independent(|n| {
                let residual = images(&residual, n);
                let with = Parts { bias: true, residual: Some(&residual), relu: true, ..Parts::default() };
                let y = case.forward(&images(&case.x, n), algorithm, with)?;
                let (add, mask) = (images(&add, n), images(&mask, n));
                Ok(vec![y, case.backward(&images(&case.dy, n), algorithm, Some(&add), Some(&mask))?])
            })
        });
    }
    table.finish();
}

#[test]
fn nan_passes_the_fused_relu() {
    let mut table = Table::new("conv2d");
    let mut case = Case::new(([1, 2, 3, 3], [3, 2, 1, 1], [1, 1], [0; 4]));
    case.x.data[4] = f64::NAN;
    for (algorithm, format) in case.algorithms().into_iter().flat_map(|v| {
        let texels = matches!(v, ConvAlgorithm::Texels(_)).then_some(Format::Texels);
        [Format::Nchw].into_iter().chain(texels).map(move |format| (v, format))
    }) {
        table.case(format!("nan {} {format:?}", case.name(algorithm)), || {
            let with = Parts { formats: [format; 2], relu: true, ..Parts::default() };
            let y = case.forward(&case.x, algorithm, with)?;
            let where_nan = y.map(|y| f64::from(y.is_nan()));
            let want = Tensor::new(y.shape, (0..27).map(|i| f64::from(i % 9 == 4)).collect());
            exact("whether y is NaN", &where_nan, &want)
        });
    }
    table.finish();
}
