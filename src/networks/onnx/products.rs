//! Products of matrices.

use std::sync::Arc;

use super::call::{Call, Layer, Value};
use super::constant::Constant;
use super::importer::Importer;
use crate::error::Result;
use crate::ops::{BinaryFunction, Linear, MatMul, MatMulConstant};
use crate::shape::Shape;

impl Importer<'_> {
    /// `alpha · x w + beta · b` with constant weights.
    pub(super) fn gemm(&mut self, call: &Call<'_>) -> Result<Layer> {
        let flag = |name: &str| call.node.int(name).unwrap_or(0) != 0;
        let scale = |name: &str| call.node.float(name).unwrap_or(1.0);
        if flag("transA") {
            return Err(call.error("the transpose of a layer is not supported"));
        }
        let bias = if call.input(2).is_some() { Some(call.floats(2)?.1) } else { None };
        let bias = bias.map(|b| b.iter().map(|b| b * scale("beta")).collect());
        self.linear(call, flag("transB"), scale("alpha"), bias)
    }

    pub(super) fn mat_mul(&mut self, call: &Call<'_>) -> Result<Layer> {
        match (call.input(0), call.input(1)) {
            (Some(Value::Layer(x)), Some(Value::Constant(w))) if x.dims.len() == 2 && w.dims.len() == 2 => {
                self.linear(call, false, 1.0, None)
            }
            (Some(Value::Layer(a)), Some(Value::Layer(b))) => {
                let ([a, b], before) = self.pair(call, [a, b], 3)?;
                self.push_after(call, MatMul, &[&a, &b], before)
            }
            (Some(Value::Layer(x)), _) => {
                let (dims, constant) = call.floats(1)?;
                self.times(call, x.clone(), constant, &dims, false)
            }
            _ => {
                let ((dims, constant), x) = (call.floats(0)?, call.layer(1)?);
                self.times(call, x, constant, &dims, true)
            }
        }
    }

    /// A layer times a constant; `first`: a constant times a layer.
    fn times(&mut self, call: &Call<'_>, x: Layer, constant: Arc<[f32]>, dims: &[usize], first: bool) -> Result<Layer> {
        let x = x.of_rank(dims.len());
        // The batch is neither an axis of a matrix nor one that the constant has.
        let meets = x.dims.len() < 3 || dims.len() == x.dims.len() && dims[0] != 1;
        let before = x.before().max(usize::from(meets));
        let x = self.framed(call, x, before)?;
        self.push_after(call, MatMulConstant { constant, shape: Shape::of(dims)?, first }, &[&x], before)
    }

    /// `[M,K]` times a constant matrix, `[K,L]` or transposed.
    fn linear(&mut self, call: &Call<'_>, transposed: bool, alpha: f32, b: Option<Arc<[f32]>>) -> Result<Layer> {
        let x = call.layer(0)?;
        let (dims, w) = call.floats(1)?;
        let (&[images, inputs], &[rows, columns]) = (&x.dims[..], &dims[..]) else {
            return Err(call.error(format!("{:?} times {dims:?} is not supported, only [N,K] times a matrix", x.dims)));
        };
        let outputs = if transposed { rows } else { columns };
        if inputs != if transposed { columns } else { rows } {
            return Err(call.error(format!("{:?} and {dims:?} do not fit", x.dims)));
        }
        // Several rows for each image are a product of matrices, which has its constant the other way round.
        let rows_of_outputs = images == 1;
        let w: Arc<[f32]> = match (transposed == rows_of_outputs, alpha) {
            (true, 1.0) => w,
            (true, alpha) => w.iter().map(|w| w * alpha).collect(),
            (false, alpha) => (0..w.len()).map(|at| w[at % rows * columns + at / rows] * alpha).collect(),
        };
        if !rows_of_outputs {
            let y = self.times(call, x, w, &[inputs, outputs], false)?;
            let Some(b) = b else { return Ok(y) };
            let dims = if b.len() == 1 { Vec::new() } else { vec![b.len()] };
            return self.with_constant(call, BinaryFunction::Add, &y, &Constant::floats(dims, b), false);
        }
        let b: Arc<[f32]> = match b {
            None => vec![0.0; outputs].into(),
            Some(b) if b.len() == 1 => vec![b[0]; outputs].into(),
            Some(b) if b.len() == outputs => b,
            Some(b) => return Err(call.error(format!("it has {} biases for {outputs} outputs", b.len()))),
        };
        // The op takes the elements of an image in any shape of four extents.
        let shape = self.graph.node(x.node).shape;
        let x = if shape.rank() == 4 { x } else { self.shaped(call, Layer { dims: vec![1, inputs, 1, 1], ..x })? };
        let y = self.push(call, Linear { w, b }, &[&x])?;
        Ok(Layer { dims: vec![1, outputs], ..y })
    }
}
