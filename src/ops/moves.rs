//! moves: ops whose output is elements of the input in other places: permute, slice, pad, expand, and gather with constant indices.
//!
//! All are one function: along each axis of y, a list says which place of one axis of x is read. The backward has the same lists the other way
//! round, so it gathers too.

use super::axes::strides;
use super::{Backward, Forward, Op, Saved, Tensor, countable, only, same, shape_error};
use crate::error::Result;
use crate::gpu::{Grid, Kernel, Layout, Recording, TensorId};
use crate::shape::{MAX_RANK, Shape};

crate::params! {
    /// Mirrors `Params` of shaders/moves.wgsl.
    struct MoveParams { axes: [[u32; 4]; MAX_RANK], len: u32, value: f32, epilogue: u32, unused: u32 }
}

/// The longest axis that padding or repetition makes: a list of its places must not fill the memory.
const LONGEST: usize = 1 << 24;

/// What stands where y has no element of x.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum PadMode {
    /// A number.
    Constant(f32),
    /// x once more, away from its edge; the edge itself does not repeat.
    Reflect,
    /// The element at the edge: `replicate` in PyTorch, `edge` in ONNX.
    Replicate,
    /// x from its other end on: `circular` in PyTorch, `wrap` in ONNX.
    Circular,
}

/// A part of an axis, as NumPy's `start:end:step`: negative numbers count from the end, and what is beyond an end is the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Range {
    /// The axis, not the first.
    pub axis: usize,
    /// The first place.
    pub start: i64,
    /// The place before which it ends; for a negative step, the place after which. `i64::MIN` and `i64::MAX` are beyond every end.
    pub end: i64,
    /// The distance between places; negative to go backwards.
    pub step: i64,
}

/// An op that moves elements and computes nothing, over buffers of any rank. The first axis is the batch and stays as it is.
#[derive(Clone, Debug, PartialEq)]
pub enum Move {
    /// `torch.permute`: axis i of y is axis `order[i]` of x. `order[0]` is 0.
    Permute(Vec<usize>),
    /// Some parts of some axes, each axis at most once.
    Slice(Vec<Range>),
    /// `torch.nn.functional.pad`: for each axis, how many places come before x and after it; fewer than none cut x.
    Pad {
        /// `[before, after]` for each axis, the first of them `[0, 0]`.
        pads: Vec<[i64; 2]>,
        /// What stands there.
        mode: PadMode,
    },
    /// `torch.expand`: the extents of y for each axis but the first. Where x has 1, it is repeated; elsewhere they are those of x, or 1, as ONNX
    /// allows.
    Expand(Vec<usize>),
    /// `torch.index_select`: along one axis, the places with these indices, in any order and any number of times.
    Gather {
        /// The axis, not the first.
        axis: usize,
        /// The places.
        indices: Vec<usize>,
    },
}

/// One axis of y: the axis of x that it goes along, and for each place the one that it reads there.
struct Along {
    from: usize,
    places: Vec<Option<usize>>,
}

impl Along {
    fn all(from: usize, len: usize) -> Self {
        Self { from, places: (0..len).map(Some).collect() }
    }
}

/// What NumPy's `start:end:step` is of an axis.
fn slice(Range { start, end, step, .. }: Range, len: usize) -> Vec<Option<usize>> {
    let len = len as i64;
    let (low, high) = if step > 0 { (0, len) } else { (-1, len - 1) };
    let clamped = |at: i64| if at < 0 { at.saturating_add(len) } else { at }.clamp(low, high);
    let (mut at, end) = (clamped(start), clamped(end));
    let mut places = Vec::new();
    while if step > 0 { at < end } else { at > end } {
        places.push(Some(at as usize));
        at = at.saturating_add(step);
    }
    places
}

/// The places of a padded axis; `None` if padding of this mode cannot be that long.
fn pad([before, after]: [i64; 2], mode: PadMode, len: usize) -> Option<Vec<Option<usize>>> {
    let len = len as i64;
    let end = len.checked_add(after)?;
    let start = before.checked_neg()?;
    if end.checked_sub(start)? > LONGEST as i64 {
        return None;
    }
    let place = |at: i64| match mode {
        _ if (0..len).contains(&at) => Some(Some(at)),
        PadMode::Constant(_) => Some(None),
        PadMode::Replicate => Some(Some(at.clamp(0, len - 1))),
        PadMode::Circular => Some(Some(at.rem_euclid(len))),
        PadMode::Reflect => {
            let mirrored = if at < 0 { -at } else { 2 * (len - 1) - at };
            (0..len).contains(&mirrored).then_some(Some(mirrored))
        }
    };
    (start..end).map(|at| place(at).map(|place| place.map(|at| at as usize))).collect()
}

impl Move {
    /// The axes of y.
    fn axes(&self, label: &str, x: Shape) -> Result<Vec<Along>> {
        countable(self.name(), label, "x", x)?;
        let wrong = |what: String| shape_error(self.name(), label, format!("x is {x}: {what}"));
        let (rank, extents) = (x.rank(), x.extents());
        let mut axes: Vec<Along> = extents.iter().enumerate().map(|(axis, &len)| Along::all(axis, len)).collect();
        match self {
            Self::Permute(order) => {
                let each_once = (0..rank).all(|axis| order.contains(&axis));
                if order.len() != rank || !each_once || order.first().is_some_and(|&first| first != 0) {
                    return Err(wrong(format!("the order {order:?} must have each axis once, and first the batch, 0")));
                }
                axes = order.iter().map(|&axis| Along::all(axis, extents[axis])).collect();
            }
            Self::Slice(ranges) => {
                for (i, range) in ranges.iter().enumerate() {
                    let axis = range.axis;
                    let again = ranges[..i].iter().any(|other| other.axis == axis);
                    if axis == 0 || axis >= rank || again || range.step == 0 {
                        let what = format!("{range:?} must have an axis of its own other than the batch, and a step");
                        return Err(wrong(what));
                    }
                    axes[axis].places = slice(*range, extents[axis]);
                }
            }
            Self::Pad { pads, mode } => {
                if pads.len() != rank || pads.first().is_some_and(|first| *first != [0; 2]) {
                    return Err(wrong(format!("the pads {pads:?} must be for each axis, and none for the batch")));
                }
                for (axis, &amounts) in pads.iter().enumerate() {
                    axes[axis].places = pad(amounts, *mode, extents[axis])
                        .ok_or_else(|| wrong(format!("no {mode:?} of {amounts:?} along axis {axis}")))?;
                }
            }
            Self::Expand(to) => {
                if to.len() + 1 != rank {
                    return Err(wrong(format!("it cannot become {to:?} without the batch")));
                }
                for (along, &to) in axes[1..].iter_mut().zip(to) {
                    match (along.places.len(), to) {
                        (1, to) if to <= LONGEST => along.places = vec![Some(0); to],
                        (len, to) if len == to || to == 1 => {}
                        (len, _) => return Err(wrong(format!("an extent of {len} cannot become {to}"))),
                    }
                }
            }
            Self::Gather { axis, indices } => {
                let inside = *axis > 0 && *axis < rank && indices.iter().all(|&at| at < extents[*axis]);
                if !inside {
                    return Err(wrong(format!("no {indices:?} along axis {axis}")));
                }
                axes[*axis].places = indices.iter().map(|&at| Some(at)).collect();
            }
        }
        Ok(axes)
    }

    fn shape(&self, label: &str, axes: &[Along]) -> Result<Shape> {
        let y = Shape::of(&axes.iter().map(|along| along.places.len()).collect::<Vec<_>>())?;
        countable(self.name(), label, "y", y)?;
        Ok(y)
    }

    fn value(&self) -> f32 {
        match self {
            Self::Pad { mode: PadMode::Constant(value), .. } => *value,
            _ => 0.0,
        }
    }

    fn kernel(entry: &'static str, rank: usize) -> Kernel {
        Kernel::new("moves", entry).with("AXES", rank as u32)
    }
}

/// A table of the extents of axes and where their lists begin, and one of the lists.
struct Lists {
    axes: [[u32; 4]; MAX_RANK],
    words: Vec<u32>,
}

/// For each place on each axis of y, its share of the index of x.
fn places(axes: &[Along], x: Shape) -> Lists {
    let (strides, mut lists) = (strides(x), Lists { axes: [[1, 0, 0, 0]; MAX_RANK], words: Vec::new() });
    for (row, along) in lists.axes.iter_mut().zip(axes) {
        *row = [along.places.len() as u32, lists.words.len() as u32, 0, 0];
        let share = |place: &Option<usize>| place.map_or(u32::MAX, |at| (at * strides[along.from]) as u32);
        lists.words.extend(along.places.iter().map(share));
    }
    lists
}

/// For each place on each axis of x, the shares of the indices of the elements of y that read it.
fn readers(axes: &[Along], x: Shape, y: Shape) -> Lists {
    let (strides, mut lists) = (strides(y), Lists { axes: [[1, 0, 0, 0]; MAX_RANK], words: Vec::new() });
    for (from, &extent) in x.extents().iter().enumerate() {
        let (axis, along) =
            axes.iter().enumerate().find(|(_, along)| along.from == from).expect("each axis of x is one of y");
        let mut of = vec![Vec::new(); extent];
        for (k, place) in along.places.iter().enumerate() {
            of[place.unwrap_or(0)].extend(place.map(|_| (k * strides[axis]) as u32));
        }
        let first = lists.words.len();
        lists.axes[from] = [extent as u32, first as u32, 0, 0];
        // The lists follow the places where they begin, of which the last is their end.
        let mut at = first + extent + 1;
        for list in &of {
            lists.words.push(at as u32);
            at += list.len();
        }
        lists.words.push(at as u32);
        lists.words.extend(of.concat());
    }
    lists
}

/// The binding of a table.
fn table(rec: &mut Recording, label: &str, name: &'static str, words: Vec<u32>) -> (&'static str, TensorId, usize) {
    // A scalar has no axis, but a binding needs a word.
    let words = if words.is_empty() { vec![0] } else { words };
    let len = words.len();
    (name, rec.table(format!("{label} {name}"), Layout::Words, words), len)
}

impl Op for Move {
    fn name(&self) -> &str {
        match self {
            Self::Permute(_) => "permute",
            Self::Slice(_) => "slice",
            Self::Pad { .. } => "pad",
            Self::Expand(_) => "expand",
            Self::Gather { .. } => "index_select",
        }
    }

    fn output(&self, label: &str, xs: &[Shape]) -> Result<Shape> {
        self.shape(label, &self.axes(label, only(self.name(), label, xs)?)?)
    }

    /// `y[k] = x[p(k)]`. x, y: `[N,…]` in buffers.
    fn forward(&self, cx: &mut Forward<'_>, xs: &[Tensor], y: Tensor) -> Result<Saved> {
        let (x, label) = (only(self.name(), cx.label, xs)?, cx.label);
        let axes = self.axes(label, x.shape)?;
        same(self.name(), label, ["y", "the output"], y.shape, self.shape(label, &axes)?)?;
        let (lists, len) = (places(&axes, x.shape), y.shape.len());
        let params = MoveParams { axes: lists.axes, len: len as u32, value: self.value(), epilogue: 0, unused: 0 };
        let bindings = [x.bind("x"), table(cx.rec, label, "places", lists.words), y.bind("y")];
        cx.rec.dispatch(label, Self::kernel("forward", y.shape.rank()), &bindings, &params, Grid::Each(len), 0)?;
        Ok(Saved::new())
    }

    /// `dx[p] = Σ dy[k]` over the k with `p(k) = p`.
    fn backward(&self, cx: &mut Backward<'_>) -> Result<()> {
        let ((dx, epilogue), dy, label) = (cx.gradient(0), cx.dy, cx.label);
        let axes = self.axes(label, dx.shape)?;
        same(self.name(), label, ["dy", "the output"], dy.shape, self.shape(label, &axes)?)?;
        let (lists, len) = (readers(&axes, dx.shape, dy.shape), dx.shape.len());
        let params =
            MoveParams { axes: lists.axes, len: len as u32, value: 0.0, epilogue: epilogue.flags(), unused: 0 };
        let [add, mask] = epilogue.bind(dy.id, len);
        let bindings = [dy.bind("dy"), table(cx.rec, label, "readers", lists.words), dx.bind("dx"), add, mask];
        let kernel = Self::kernel("backward", dx.shape.rank());
        cx.rec.dispatch(label, kernel, &bindings, &params, Grid::Each(len), dy.shape.len() as u64)
    }
}
