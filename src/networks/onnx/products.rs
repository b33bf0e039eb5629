//! Products of matrices.

use std::sync::Arc;

use super::call::{Call, Layer, Value};
use super::importer::Importer;
use crate::error::Result;
use crate::ops::{Linear, MatMul, MatMulConstant};
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
                let (a, b) = (self.shaped(call, a.clone())?, self.shaped(call, b.clone())?);
                self.push(call, MatMul, &[&a, &b])
            }
            (Some(Value::Layer(x)), _) => {
                let ((dims, constant), x) = (call.floats(1)?, self.shaped(call, x.clone())?);
                self.push(call, MatMulConstant { constant, shape: Shape::of(&dims)?, first: false }, &[&x])
            }
            _ => {
                let ((dims, constant), x) = (call.floats(0)?, call.layer(1)?);
                let x = self.shaped(call, x)?;
                self.push(call, MatMulConstant { constant, shape: Shape::of(&dims)?, first: true }, &[&x])
            }
        }
    }

    /// `[N,K]` times a constant matrix, `[K,M]` or transposed.
    fn linear(&mut self, call: &Call<'_>, transposed: bool, alpha: f32, b: Option<Arc<[f32]>>) -> Result<Layer> {
        let x = call.layer(0)?;
        let (dims, w) = call.floats(1)?;
        let ([1, inputs], &[rows, columns]) = (&x.dims[..], &dims[..]) else {
            return Err(call.error(format!("{:?} times {dims:?} is not supported, only [N,K] times a matrix", x.dims)));
        };
        let (inputs, outputs) = (*inputs, if transposed { rows } else { columns });
        if inputs != if transposed { columns } else { rows } {
            return Err(call.error(format!("{:?} and {dims:?} do not fit", x.dims)));
        }
        let w: Arc<[f32]> = match (transposed, alpha) {
            (true, 1.0) => w,
            (true, alpha) => w.iter().map(|w| w * alpha).collect(),
            (false, alpha) => (0..w.len()).map(|at| w[at % inputs * outputs + at / inputs] * alpha).collect(),
        };
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
