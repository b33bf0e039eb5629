//! Operators on constants, which are computed while the network is built: exporters write shapes, and paddings, as graphs of their own.

use super::call::{Call, Value};
use super::constant::{Constant, Data, axis, broadcast_strides, count, places, strides};
use crate::error::Result;
use crate::shape::broadcast;
use crate::weights::{Attribute, Stored};

/// The most elements of one constant: those of the largest layers of today's classifiers.
const MAX_ELEMENTS: usize = 1 << 28;

/// The operators of [`Call::folded`], and `Constant`.
#[rustfmt::skip]
pub(super) const OPERATORS: [&str; 40] = [
    "Abs", "Add", "And", "Cast", "Ceil", "Concat", "Constant", "ConstantOfShape",
    "Div", "Dropout", "Equal", "Exp", "Expand", "Flatten", "Floor", "Gather",
    "Greater", "Identity", "Less", "Max", "Min", "Mod", "Mul", "Neg",
    "Not", "Or", "Pow", "Range", "Reciprocal", "Reshape", "ScatterND", "Shape", "Size",
    "Slice", "Sqrt", "Squeeze", "Sub", "Transpose", "Unsqueeze", "Where",
];

impl Call<'_> {
    /// The outputs, if all inputs are constant and the operator is one of shapes, numbers and moves.
    pub(super) fn folded(&self) -> Result<Option<Constant>> {
        let constants: Option<Vec<&Constant>> = (self.inputs.iter().flatten())
            .map(|value| match value {
                Value::Constant(constant) => Some(constant),
                Value::Layer(_) => None,
            })
            .collect();
        let Some(inputs) = constants else { return Ok(None) };
        let first = || inputs.first().copied().ok_or_else(|| self.error("input 0 is missing"));
        let folded = match &self.node.op[..] {
            "ConstantOfShape" => self.constant_of_shape()?,
            "Identity" | "Dropout" => first()?.clone(),
            "Cast" => self.cast(first()?)?,
            "Clip" => self.clipped(first()?)?,
            "Gather" => self.gather(&inputs)?,
            "Concat" => self.concat(&inputs)?,
            "Slice" => self.slice(first()?)?,
            "Transpose" => self.transpose(first()?)?,
            "Expand" => {
                let (x, shape) = (first()?, self.extents(1)?);
                let dims = broadcast(&x.dims, &shape).ok_or_else(|| self.error("its shape does not fit"))?;
                self.read(x, dims, 0, |dims| broadcast_strides(&x.dims, dims))?
            }
            "Reshape" | "Flatten" | "Squeeze" | "Unsqueeze" => {
                let x = first()?;
                Constant { dims: self.reshaped(&x.dims)?, data: x.data.clone() }
            }
            "Shape" | "Size" => return Ok(Some(self.shape_of(&first()?.dims)?)),
            "MatMul" => self.folded_product(&inputs)?,
            "ReduceL2" | "ReduceMean" | "ReduceSum" => self.folded_reduction(first()?)?,
            "ScatterND" => self.scattered(&inputs)?,
            "Range" => self.range(&inputs)?,
            "Where" => self.chosen(&inputs)?,
            "Neg" | "Abs" | "Floor" | "Ceil" | "Sqrt" | "Reciprocal" | "Exp" | "Log" | "Sigmoid" | "Tanh" | "Relu"
            | "Not" => self.folded_unary(first()?)?,
            "Add" | "Sub" | "Mul" | "Div" | "Mod" | "Pow" | "Min" | "Max" | "Equal" | "Greater" | "Less" | "And"
            | "Or" => match inputs[..] {
                [a, b] => self.folded_binary(a, b)?,
                _ => return Err(self.error(format!("takes 2 inputs, not {}", inputs.len()))),
            },
            _ => return Ok(None),
        };
        Ok(Some(folded))
    }

    /// The value of a `Constant` node.
    pub(super) fn constant_node(&self, stored: impl Fn(&Stored) -> Constant) -> Result<Constant> {
        let only = self.node.attributes.iter().find(|(name, _)| name.starts_with("value"));
        Ok(match only.map(|(_, attribute)| attribute) {
            Some(Attribute::Tensor(tensor)) => stored(tensor),
            Some(Attribute::Float(value)) => Constant::floats(Vec::new(), [*value]),
            Some(Attribute::Int(value)) => Constant::ints(Vec::new(), [*value]),
            Some(Attribute::Floats(values)) => Constant::floats(vec![values.len()], values.clone()),
            Some(Attribute::Ints(values)) => Constant::list(values.clone()),
            _ => return Err(self.error("its value is of a kind that is not supported")),
        })
    }

    /// `Shape`, or `Size`, of a tensor with these extents.
    pub(super) fn shape_of(&self, dims: &[usize]) -> Result<Constant> {
        if self.node.op == "Size" {
            let size = count(dims).ok_or_else(|| self.error("its size cannot be counted"))?;
            return Ok(Constant::ints(Vec::new(), [size as i64]));
        }
        let rank = dims.len() as i64;
        let bound = |name: &str, usual: i64| {
            let at = self.node.int(name).unwrap_or(usual);
            (if at < 0 { at + rank } else { at }).clamp(0, rank) as usize
        };
        let (start, end) = (bound("start", 0), bound("end", rank));
        Ok(Constant::list(dims[start..end.max(start)].iter().map(|&dim| dim as i64).collect()))
    }

    /// The extents after `Reshape`, `Flatten`, `Squeeze` or `Unsqueeze` of a tensor with the extents `dims`.
    pub(super) fn reshaped(&self, dims: &[usize]) -> Result<Vec<usize>> {
        let wrong = |what: &str| self.error(format!("{what} does not suit {dims:?}"));
        let new = match &self.node.op[..] {
            "Flatten" => {
                let at = self.node.int("axis").unwrap_or(1);
                let at = if at == dims.len() as i64 { Some(dims.len()) } else { axis(at, dims.len()) };
                let (head, tail) = dims.split_at(at.ok_or_else(|| wrong("its axis"))?);
                let of = |dims: &[usize]| count(dims).ok_or_else(|| wrong("its axis"));
                vec![of(head)?, of(tail)?]
            }
            "Squeeze" => {
                let axes = self.axes(1, dims.len())?;
                let kept = |at: usize, dim: usize| axes.as_ref().map_or(dim != 1, |axes| !axes.contains(&at));
                dims.iter().enumerate().filter(|&(at, &dim)| kept(at, dim)).map(|(_, &dim)| dim).collect()
            }
            "Unsqueeze" => {
                let added = self.integers(1, "axes")?.unwrap_or_default().len();
                let axes = self.axes(1, dims.len() + added)?.unwrap_or_default();
                let mut rest = dims.iter().copied();
                (0..dims.len() + added)
                    .map(|at| if axes.contains(&at) { 1 } else { rest.next().unwrap_or(1) })
                    .collect()
            }
            _ => {
                let shape = self.integers(1, "shape")?.ok_or_else(|| self.error("it has no shape"))?;
                let copied = |(at, &dim): (usize, &i64)| match dim {
                    0 if self.node.int("allowzero").unwrap_or(0) == 0 => dims.get(at).map(|&dim| dim as i64),
                    dim => Some(dim),
                };
                let shape: Option<Vec<i64>> = shape.iter().enumerate().map(copied).collect();
                let shape = shape.ok_or_else(|| wrong("its shape"))?;
                let known: Vec<usize> = shape.iter().filter_map(|&dim| usize::try_from(dim).ok()).collect();
                let rest = count(dims).zip(count(&known)).and_then(|(all, known)| all.checked_div(known)).unwrap_or(0);
                shape.iter().map(|&dim| usize::try_from(dim).unwrap_or(rest)).collect()
            }
        };
        if count(&new).is_some() && count(&new) == count(dims) {
            Ok(new)
        } else {
            Err(wrong(&format!("the shape {new:?}")))
        }
    }

    /// A tensor of these extents, read from `x` with strides.
    pub(super) fn read(
        &self,
        x: &Constant,
        dims: Vec<usize>,
        first: usize,
        strides: impl FnOnce(&[usize]) -> Vec<isize>,
    ) -> Result<Constant> {
        self.countable(&dims)?;
        let strides = strides(&dims);
        let data = x.data.picked(places(&dims, first, &strides));
        Ok(Constant { dims, data })
    }

    pub(super) fn countable(&self, dims: &[usize]) -> Result<()> {
        match count(dims) {
            Some(0..=MAX_ELEMENTS) => Ok(()),
            _ => Err(self.error(format!("a constant of {dims:?} is more than any network has"))),
        }
    }

    /// The value, an attribute, is the second input here.
    fn constant_of_shape(&self) -> Result<Constant> {
        let dims = self.extents(0)?;
        self.countable(&dims)?;
        let len = count(&dims).unwrap_or(0);
        let data = match self.inputs.get(1).and_then(Option::as_ref) {
            Some(Value::Constant(Constant { data: Data::Ints(value), .. })) => {
                Data::Ints(vec![value.first().copied().unwrap_or(0); len].into())
            }
            Some(Value::Constant(Constant { data: Data::Floats(value), .. })) => {
                Data::Floats(vec![value.first().copied().unwrap_or(0.0); len].into())
            }
            _ => Data::Floats(vec![0.0; len].into()),
        };
        Ok(Constant { dims, data })
    }

    fn cast(&self, x: &Constant) -> Result<Constant> {
        let data = match self.node.int("to") {
            Some(1 | 10 | 11 | 16) => Data::Floats(x.to_floats()),
            Some(9) => Data::Ints(x.to_floats().iter().map(|&value| i64::from(value != 0.0)).collect()),
            Some(2..=7 | 12 | 13) => Data::Ints(x.to_ints()),
            other => return Err(self.error(format!("a cast to the type {other:?} is not supported"))),
        };
        Ok(Constant { dims: x.dims.clone(), data })
    }

    fn axis_of(&self, dims: &[usize], usual: i64) -> Result<usize> {
        let at = self.node.int("axis").unwrap_or(usual);
        axis(at, dims.len()).ok_or_else(|| self.error(format!("there is no axis {at} in {dims:?}")))
    }

    fn gather(&self, inputs: &[&Constant]) -> Result<Constant> {
        let [x, _] = inputs else { return Err(self.error("takes 2 inputs")) };
        let at = self.axis_of(&x.dims, 0)?;
        let (chosen, of_indices) = self.chosen_places(x.dims[at])?;
        let dims = [&x.dims[..at], of_indices, &x.dims[at + 1..]].concat();
        self.countable(&dims)?;
        let inner = count(&x.dims[at + 1..]).unwrap_or(0);
        let outer = count(&x.dims[..at]).unwrap_or(0);
        let each = x.dims[at] * inner;
        let place = (0..outer)
            .flat_map(|o| chosen.iter().flat_map(move |&index| (0..inner).map(move |i| o * each + index * inner + i)));
        Ok(Constant { data: x.data.picked(place), dims })
    }

    fn concat(&self, inputs: &[&Constant]) -> Result<Constant> {
        let first = inputs.first().ok_or_else(|| self.error("input 0 is missing"))?;
        let at = self.axis_of(&first.dims, 0)?;
        let fits = |x: &&Constant| {
            x.dims.len() == first.dims.len() && (0..x.dims.len()).all(|i| i == at || x.dims[i] == first.dims[i])
        };
        if !inputs.iter().all(fits) {
            return Err(self.error("its inputs have different shapes"));
        }
        let mut dims = first.dims.clone();
        dims[at] = inputs.iter().map(|x| x.dims[at]).sum();
        self.countable(&dims)?;
        let outer = count(&dims[..at]).unwrap_or(0);
        let rows = |x: &Constant| count(&x.dims[at..]).unwrap_or(0);
        let data = if inputs.iter().all(|x| matches!(x.data, Data::Ints(_))) {
            let values: Vec<_> = inputs.iter().map(|x| (x.to_ints(), rows(x))).collect();
            let row = |o: usize| values.iter().flat_map(move |(v, len)| v[o * len..(o + 1) * len].iter().copied());
            Data::Ints((0..outer).flat_map(row).collect())
        } else {
            let values: Vec<_> = inputs.iter().map(|x| (x.to_floats(), rows(x))).collect();
            let row = |o: usize| values.iter().flat_map(move |(v, len)| v[o * len..(o + 1) * len].iter().copied());
            Data::Floats((0..outer).flat_map(row).collect())
        };
        Ok(Constant { dims, data })
    }

    fn slice(&self, x: &Constant) -> Result<Constant> {
        let ranges = self.slices(&x.dims)?;
        let (dims, own) = (ranges.iter().map(|r| r.len).collect::<Vec<_>>(), strides(&x.dims));
        let first = ranges.iter().zip(&own).map(|(r, stride)| r.start * stride).sum();
        self.read(x, dims, first, |_| ranges.iter().zip(&own).map(|(r, &stride)| r.step * stride as isize).collect())
    }

    fn transpose(&self, x: &Constant) -> Result<Constant> {
        let order = self.order(x.dims.len())?;
        let own = strides(&x.dims);
        let dims = order.iter().map(|&at| x.dims[at]).collect();
        self.read(x, dims, 0, |_| order.iter().map(|&at| own[at] as isize).collect())
    }

    /// The axis of the input for each axis of the output of a `Transpose`.
    pub(super) fn order(&self, rank: usize) -> Result<Vec<usize>> {
        let Some(perm) = self.node.ints("perm") else { return Ok((0..rank).rev().collect()) };
        let order: Option<Vec<usize>> = perm.iter().map(|&at| axis(at, rank)).collect();
        let complete = |order: &Vec<usize>| order.len() == rank && (0..rank).all(|at| order.contains(&at));
        order.filter(complete).ok_or_else(|| self.error(format!("{perm:?} is no order of {rank} axes")))
    }

    /// The part of each axis that a `Slice` takes.
    pub(super) fn slices(&self, dims: &[usize]) -> Result<Vec<Slice>> {
        let list = |at: usize, name: &str| self.integers(at, name);
        let starts = list(1, "starts")?.unwrap_or_default();
        let ends = list(2, "ends")?.unwrap_or_default();
        let axes = list(3, "axes")?.unwrap_or_else(|| (0..starts.len() as i64).collect());
        let steps = list(4, "steps")?.unwrap_or_else(|| vec![1; starts.len()]);
        let wrong =
            || self.error(format!("from {starts:?} to {ends:?} along {axes:?} by {steps:?} does not suit {dims:?}"));
        if [ends.len(), axes.len(), steps.len()] != [starts.len(); 3] {
            return Err(wrong());
        }
        let mut slices: Vec<Slice> = dims.iter().map(|&len| Slice { start: 0, step: 1, len }).collect();
        for (((&start, &end), &at), &step) in starts.iter().zip(&ends).zip(&axes).zip(&steps) {
            let at = axis(at, dims.len()).ok_or_else(wrong)?;
            let len = dims[at] as i64;
            let from_end = |place: i64| if place < 0 { place.saturating_add(len) } else { place };
            let (start, count) = match step {
                0 => return Err(wrong()),
                1.. => {
                    let (start, end) = (from_end(start).clamp(0, len), from_end(end).clamp(0, len));
                    (start, (end - start).max(0) as u64)
                }
                _ => {
                    let (start, end) = (from_end(start).clamp(-1, len - 1), from_end(end).clamp(-1, len - 1));
                    (start, (start - end).max(0) as u64)
                }
            };
            let len = count.div_ceil(step.unsigned_abs()) as usize;
            slices[at] = Slice { start: start.max(0) as usize, step: step as isize, len };
        }
        Ok(slices)
    }
}

/// A part of an axis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Slice {
    pub(super) start: usize,
    pub(super) step: isize,
    pub(super) len: usize,
}
