//! A node of the model with the values of its inputs.

use std::sync::Arc;

use super::constant::{Constant, Data, axis};
use crate::error::{Error, Result};
use crate::graph::NodeId;
use crate::shape::Pad;
use crate::suggest::shown;
use crate::weights::Node;

/// The value of a name in the model.
#[derive(Clone, Debug)]
pub(super) enum Value {
    Constant(Constant),
    Layer(Layer),
}

/// What depends on the image: the output of a node of the graph.
#[derive(Clone, Debug)]
pub(super) struct Layer {
    pub(super) node: NodeId,
    /// The extents in the model, for one image. The node's shape may differ: a reshape keeps the order of the elements, so that it costs
    /// nothing until an op needs the new shape. The batch may be any of these axes, or a part of one, but it is always the first axis of the
    /// node: a batch is the model for one image, as often as there are images.
    pub(super) dims: Vec<usize>,
    /// Zeros around the node's rows and columns, which a convolution adds on the way. They count in `dims`.
    pub(super) pad: Pad,
}

impl Layer {
    pub(super) fn of(node: NodeId, dims: Vec<usize>) -> Self {
        Self { node, dims, pad: [0; 4] }
    }

    /// How many axes a node of these extents has before them. The first axis of a node is the batch. It can be the first of the model only if
    /// that has the extent 1 for one image.
    pub(super) fn before(&self) -> usize {
        usize::from(self.dims.first() != Some(&1))
    }

    /// The same elements with axes of extent 1 before the others, so that there are `rank`.
    pub(super) fn of_rank(mut self, rank: usize) -> Self {
        let missing = rank.saturating_sub(self.dims.len());
        self.dims.splice(0..0, vec![1; missing]);
        self
    }
}

/// A node and its inputs.
pub(super) struct Call<'a> {
    pub(super) node: &'a Node,
    /// `None` for an optional input that is left out.
    pub(super) inputs: Vec<Option<Value>>,
    pub(super) opset: i64,
}

impl Call<'_> {
    /// An error of this node.
    pub(super) fn error(&self, what: impl std::fmt::Display) -> Error {
        Error::input(format!("{} ({}): {what}", shown(&self.node.op), shown(&self.node.name)))
    }

    pub(super) fn input(&self, at: usize) -> Option<&Value> {
        self.inputs.get(at).and_then(Option::as_ref)
    }

    /// An input that depends on the image.
    pub(super) fn layer(&self, at: usize) -> Result<Layer> {
        match self.input(at) {
            Some(Value::Layer(layer)) => Ok(layer.clone()),
            Some(Value::Constant(_)) => Err(self.error(format!("input {at} is constant, which is not supported"))),
            None => Err(self.error(format!("input {at} is missing"))),
        }
    }

    /// An optional input that does not depend on the image.
    pub(super) fn constant(&self, at: usize) -> Result<Option<&Constant>> {
        match self.input(at) {
            Some(Value::Constant(constant)) => Ok(Some(constant)),
            Some(Value::Layer(_)) => {
                Err(self.error(format!("input {at} depends on the image, which is not supported")))
            }
            None => Ok(None),
        }
    }

    /// An input of finite floating-point numbers.
    pub(super) fn floats(&self, at: usize) -> Result<(Vec<usize>, Arc<[f32]>)> {
        let constant = self.constant(at)?.ok_or_else(|| self.error(format!("input {at} is missing")))?;
        let values = constant.to_floats();
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            let (name, value) = (shown(&self.node.inputs[at]), values[index]);
            return Err(self.error(format!("`{name}` is {value} at element {index}")));
        }
        Ok((constant.dims.clone(), values))
    }

    /// One floating-point number: an input, or in older versions an attribute.
    pub(super) fn number(&self, at: usize, attribute: &str) -> Result<Option<f32>> {
        match self.constant(at)? {
            Some(constant) if constant.len() == 1 => Ok(Some(constant.to_floats()[0])),
            Some(constant) => Err(self.error(format!("input {at} is {:?} and must be one number", constant.dims))),
            None => Ok(self.node.float(attribute)),
        }
    }

    /// Integers: an input, or in older versions an attribute.
    pub(super) fn integers(&self, at: usize, attribute: &str) -> Result<Option<Vec<i64>>> {
        match self.constant(at)? {
            Some(Constant { data: Data::Ints(values), .. }) => Ok(Some(values.to_vec())),
            Some(_) => Err(self.error(format!("input {at} must be integers"))),
            None => Ok(self.node.ints(attribute).map(<[i64]>::to_vec)),
        }
    }

    /// Extents: an input of integers, none of them negative. None are those of a number.
    pub(super) fn extents(&self, at: usize) -> Result<Vec<usize>> {
        let dims = self.integers(at, "")?.unwrap_or_default();
        let extents: Option<Vec<usize>> = dims.iter().map(|&dim| usize::try_from(dim).ok()).collect();
        extents.ok_or_else(|| self.error(format!("the shape {dims:?} is not valid")))
    }

    /// Axes of a tensor of this rank: an input, or in older versions the attribute `axes`.
    pub(super) fn axes(&self, at: usize, rank: usize) -> Result<Option<Vec<usize>>> {
        let Some(axes) = self.integers(at, "axes")? else { return Ok(None) };
        let found: Option<Vec<usize>> = axes.iter().map(|&at| axis(at, rank)).collect();
        found.map(Some).ok_or_else(|| self.error(format!("there are no axes {axes:?} among {rank}")))
    }

    /// The places along an axis of this length that the second input of a `Gather` chooses, and the extents of that input.
    pub(super) fn chosen_places(&self, len: usize) -> Result<(Vec<usize>, &[usize])> {
        let indices = self.constant(1)?.ok_or_else(|| self.error("input 1 is missing"))?;
        let places: Option<Vec<usize>> = indices.to_ints().iter().map(|&index| axis(index, len)).collect();
        let places = places.ok_or_else(|| self.error(format!("an index is outside of an axis of {len}")))?;
        Ok((places, &indices.dims))
    }

    /// A list of sizes: an attribute, of this length, whose values are at least `least`.
    pub(super) fn sizes<const N: usize>(&self, attribute: &str, least: usize, usual: [usize; N]) -> Result<[usize; N]> {
        let Some(values) = self.node.ints(attribute) else { return Ok(usual) };
        let sizes: Option<Vec<usize>> =
            values.iter().map(|&v| usize::try_from(v).ok().filter(|&v| v >= least)).collect();
        let sizes = sizes.and_then(|sizes| <[usize; N]>::try_from(sizes).ok());
        sizes.ok_or_else(|| {
            self.error(format!(
                "`{attribute}` is {values:?}, and must be {N} numbers of at least {least}: only images are supported"
            ))
        })
    }
}
