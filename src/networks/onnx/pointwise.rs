//! Functions of every element, and of two tensors.

use std::sync::Arc;

use super::call::{Call, Layer, Value};
use super::constant::Constant;
use super::importer::Importer;
use crate::error::Result;
use crate::ops::{Add, Binary, BinaryConstant, BinaryFunction, ChannelAffine, Relu, ScaleShift, Unary, UnaryFunction};
use crate::shape::{Shape, broadcast};

impl Importer<'_> {
    pub(super) fn unary(&mut self, call: &Call<'_>) -> Result<Layer> {
        let number = |name: &str, usual: f32| call.node.float(name).unwrap_or(usual);
        let op = match &call.node.op[..] {
            "Abs" => Unary::new(UnaryFunction::Abs),
            "Celu" => Unary::celu(number("alpha", 1.0)),
            "Elu" => Unary::elu(number("alpha", 1.0)),
            "Erf" => Unary::new(UnaryFunction::Erf),
            "Exp" => Unary::new(UnaryFunction::Exp),
            "Gelu" if call.node.text("approximate") == Some("tanh") => Unary::new(UnaryFunction::GeluTanh),
            "Gelu" => Unary::new(UnaryFunction::Gelu),
            "HardSigmoid" => Unary::hardsigmoid(number("alpha", 0.2), number("beta", 0.5)),
            "HardSwish" => Unary::new(UnaryFunction::Hardswish),
            "LeakyRelu" => Unary::leaky_relu(number("alpha", 0.01)),
            "Log" => Unary::new(UnaryFunction::Log),
            "Mish" => Unary::new(UnaryFunction::Mish),
            "Neg" => Unary::new(UnaryFunction::Neg),
            "Reciprocal" => Unary::new(UnaryFunction::Reciprocal),
            "Selu" => {
                let own = ["alpha", "gamma"].iter().any(|name| call.node.attributes.contains_key(*name));
                if own && (number("alpha", 1.67326), number("gamma", 1.0507)) != (1.673_263_2, 1.050_701) {
                    return Err(call.error("numbers of its own are not supported"));
                }
                Unary::new(UnaryFunction::Selu)
            }
            "Softplus" => Unary::softplus(1.0),
            "Sqrt" => Unary::new(UnaryFunction::Sqrt),
            "Tanh" => Unary::new(UnaryFunction::Tanh),
            _ => return Err(call.error("this operator is not supported")),
        };
        self.alike(call, op)
    }

    /// At the end of the network it is left out, as [`Importer::softmax`].
    pub(super) fn sigmoid(&mut self, call: &Call<'_>) -> Result<Layer> {
        if !call.node.outputs.iter().any(|output| output == self.output) {
            return self.alike(call, Unary::new(UnaryFunction::Sigmoid));
        }
        let x = call.layer(0)?;
        let mut note = "the Sigmoid at the end was left out: its input are the logits".to_owned();
        if x.dims.iter().product::<usize>() > 1 {
            note += "; probabilities are those of a softmax over them, which is not what a network for several labels gives";
        }
        self.notes.push(note);
        Ok(x)
    }

    pub(super) fn clip(&mut self, call: &Call<'_>) -> Result<Layer> {
        match (call.number(1, "min")?, call.number(2, "max")?) {
            (Some(0.0), None) => self.alike(call, Relu),
            (Some(0.0), Some(6.0)) => self.alike(call, Unary::new(UnaryFunction::Relu6)),
            (min, max) => self.alike(call, Unary::clamp(min.unwrap_or(f32::MIN), max.unwrap_or(f32::MAX))),
        }
    }

    /// A function of two operands; or of more, one after the other.
    pub(super) fn arithmetic(&mut self, call: &Call<'_>) -> Result<Layer> {
        let function = match &call.node.op[..] {
            "Add" | "Sum" => BinaryFunction::Add,
            "Sub" => BinaryFunction::Sub,
            "Mul" => BinaryFunction::Mul,
            "Div" => BinaryFunction::Div,
            "Min" => BinaryFunction::Minimum,
            "Max" => BinaryFunction::Maximum,
            _ => BinaryFunction::Pow,
        };
        let mut operands = call.inputs.iter().flatten().cloned();
        let mut result = operands.next().ok_or_else(|| call.error("input 0 is missing"))?;
        for next in operands {
            result = Value::Layer(match (&result, &next) {
                (Value::Layer(a), Value::Layer(b)) => self.of_layers(call, function, a, b)?,
                (Value::Layer(x), Value::Constant(c)) => self.with_constant(call, function, x, c, false)?,
                (Value::Constant(c), Value::Layer(x)) => self.with_constant(call, function, x, c, true)?,
                _ => return Err(call.error("of several constants and a layer it is not supported")),
            });
        }
        match result {
            Value::Layer(layer) => Ok(layer),
            Value::Constant(_) => Err(call.error("it has no input that depends on the image")),
        }
    }

    fn of_layers(&mut self, call: &Call<'_>, function: BinaryFunction, a: &Layer, b: &Layer) -> Result<Layer> {
        let shapes = [a, b].map(|layer| self.graph.node(layer.node).shape);
        if function == BinaryFunction::Add
            && a.dims == b.dims
            && shapes[0] == shapes[1]
            && [a.pad, b.pad] == [[0; 4]; 2]
        {
            let y = self.push(call, Add, &[a, b])?;
            return Ok(Layer { dims: a.dims.clone(), ..y });
        }
        let ([a, b], before) = self.pair(call, [a, b], 0)?;
        if function == BinaryFunction::Add && a.dims == b.dims {
            return self.push_after(call, Add, &[&a, &b], before);
        }
        self.push_after(call, Binary(function), &[&a, &b], before)
    }

    /// `first`: the constant is the first operand.
    pub(super) fn with_constant(
        &mut self,
        call: &Call<'_>,
        function: BinaryFunction,
        x: &Layer,
        constant: &Constant,
        first: bool,
    ) -> Result<Layer> {
        let values = constant.to_floats();
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(call.error(format!("its constant is {} at element {at}", values[at])));
        }
        if let Some(affine) = self.affine(function, x, constant, first) {
            let y = self.push(call, ScaleShift(affine), &[x])?;
            return Ok(Layer { dims: x.dims.clone(), ..y });
        }
        if let (BinaryFunction::Pow, false, &[exponent]) = (function, first, &values[..]) {
            let y = self.push(call, Unary::pow(exponent), &[x])?;
            return Ok(Layer { dims: x.dims.clone(), ..y });
        }
        // A number for every image has no extents of its own.
        let dims = if values.len() == 1 { &[][..] } else { &constant.dims };
        let x = x.clone().of_rank(constant.dims.len());
        let repeats = dims.len() == x.dims.len() && dims.first().is_some_and(|&first| first != 1);
        let before = x.before().max(usize::from(repeats));
        let x = self.framed(call, x, before)?;
        let op = BinaryConstant { function, constant: values, shape: Shape::of(dims)?, first };
        self.push_after(call, op, &[&x], before)
    }

    /// The function as a factor and an addend for each channel, which convolutions absorb.
    fn affine(&self, function: BinaryFunction, x: &Layer, constant: &Constant, first: bool) -> Option<ChannelAffine> {
        let shape = self.graph.node(x.node).shape;
        if shape.rank() != 4 || x.pad != [0; 4] {
            return None;
        }
        let values = for_channels(&x.dims, constant, shape.c())?;
        let each = |scale: fn(f32) -> f32, shift: fn(f32) -> f32| {
            let of = |f: fn(f32) -> f32| values.iter().map(|&value| f(value)).collect::<Vec<f32>>();
            ChannelAffine::new(of(scale), of(shift))
        };
        Some(match (function, first) {
            (BinaryFunction::Add, _) => each(|_| 1.0, |c| c),
            (BinaryFunction::Sub, false) => each(|_| 1.0, |c| -c),
            (BinaryFunction::Sub, true) => each(|_| -1.0, |c| c),
            (BinaryFunction::Mul, _) => each(|c| c, |_| 0.0),
            (BinaryFunction::Div, false) if !values.contains(&0.0) => each(|c| 1.0 / c, |_| 0.0),
            _ => return None,
        })
    }
}

/// The constant as a value for each channel of x, if it is one.
fn for_channels(x: &[usize], constant: &Constant, channels: usize) -> Option<Arc<[f32]>> {
    let values = constant.to_floats();
    if values.len() == 1 && constant.dims.len() <= x.len() {
        return Some(vec![values[0]; channels].into());
    }
    // All extents are 1, but for the second of x.
    let before = x.len().checked_sub(constant.dims.len())?;
    let fits = constant.dims.iter().enumerate().all(|(at, &dim)| dim == 1 || before + at == 1);
    let same = x.first() == Some(&1) && broadcast(x, &constant.dims).is_some_and(|dims| dims == x);
    (fits && same && values.len() == channels && x.get(1) == Some(&channels)).then_some(values)
}
