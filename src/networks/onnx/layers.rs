//! The operators that become nodes of the graph, in one list.

use super::Importer;
use super::call::{Call, Layer};
use crate::error::Result;
use crate::ops::{Move, Op, PadMode, Relu, Reshape};

/// Appends the nodes of an operator, and returns the layer that is its output.
type Import<'a> = fn(&mut Importer<'a>, &Call<'_>) -> Result<Layer>;

/// What imports an operator. `Shape`, `Size` and `Split` are in `mod.rs`, because their outputs are no layer or several.
pub(super) fn import<'a>(op: &str) -> Option<Import<'a>> {
    Some(match op {
        "Abs" | "Celu" | "Elu" | "Erf" | "Exp" | "Gelu" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Log"
        | "Mish" | "Neg" | "Reciprocal" | "Selu" | "Sigmoid" | "Softplus" | "Sqrt" | "Tanh" => Importer::unary,
        "Add" | "Div" | "Max" | "Min" | "Mul" | "Pow" | "Sub" | "Sum" => Importer::arithmetic,
        "AveragePool" => Importer::average_pool,
        "BatchNormalization" => Importer::batch_norm,
        "Cast" | "Dropout" | "Identity" => |_, call| call.layer(0),
        "Clip" => Importer::clip,
        "Concat" => Importer::concat,
        "Conv" => Importer::conv,
        "Expand" => Importer::expand,
        "Flatten" | "Reshape" | "Squeeze" | "Unsqueeze" => Importer::reshaped,
        "Gather" => Importer::gather,
        "Gemm" => Importer::gemm,
        "GlobalAveragePool" => Importer::global_average_pool,
        "GlobalMaxPool" => Importer::global_max_pool,
        "GroupNormalization" | "InstanceNormalization" => Importer::group_norm,
        "LRN" => Importer::local_response_norm,
        "LayerNormalization" => Importer::layer_norm,
        "LogSoftmax" | "Softmax" => Importer::softmax,
        "MatMul" => Importer::mat_mul,
        "MaxPool" => Importer::max_pool,
        "Pad" => Importer::pad,
        "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum" => Importer::reduce,
        "Relu" => |importer, call| importer.alike(call, Relu),
        "Slice" => Importer::slice,
        "Transpose" => Importer::transpose,
        _ => return None,
    })
}

impl Importer<'_> {
    /// Appends an op that reads these layers, and returns it with its shape as extents.
    pub(super) fn push(&mut self, call: &Call<'_>, op: impl Op + 'static, inputs: &[&Layer]) -> Result<Layer> {
        let nodes = inputs.iter().map(|layer| self.padded(call, layer)).collect::<Result<Vec<_>>>()?;
        let node = self.graph.push(call.node.name.clone(), op, &nodes)?;
        Ok(Layer::of(node, self.graph.node(node).shape.extents().to_vec()))
    }

    /// The node of a layer with the zeros around it.
    fn padded(&mut self, call: &Call<'_>, layer: &Layer) -> Result<crate::graph::NodeId> {
        let [top, left, bottom, right] = layer.pad.map(|pad| i64::try_from(pad).unwrap_or(i64::MAX));
        if layer.pad == [0; 4] {
            return Ok(layer.node);
        }
        let pads = vec![[0; 2], [0; 2], [top, bottom], [left, right]];
        let op = Move::Pad { pads, mode: PadMode::Constant(0.0) };
        self.graph.push(format!("{} pad", call.node.name), op, &[layer.node])
    }

    /// Appends an op that treats every element alike.
    pub(super) fn alike(&mut self, call: &Call<'_>, op: impl Op + 'static) -> Result<Layer> {
        let x = call.layer(0)?;
        let y = self.push(call, op, &[&x])?;
        let dims = if x.pad == [0; 4] { x.dims } else { y.dims.clone() };
        Ok(Layer { dims, ..y })
    }

    /// A layer whose node has the extents of the model.
    pub(super) fn shaped(&mut self, call: &Call<'_>, layer: Layer) -> Result<Layer> {
        let node = self.padded(call, &layer)?;
        let shape = self.graph.node(node).shape;
        let dims = if layer.pad == [0; 4] { layer.dims } else { shape.extents().to_vec() };
        if shape.extents() == dims {
            return Ok(Layer::of(node, dims));
        }
        let extents = dims[1..].iter().map(|&dim| dim as i64).collect();
        let node = self.graph.push(format!("{} reshape", call.node.name), Reshape(extents), &[node])?;
        Ok(Layer::of(node, dims))
    }

    /// An input of images, `[N,C,H,W]`.
    pub(super) fn image(&mut self, call: &Call<'_>, at: usize) -> Result<Layer> {
        let layer = call.layer(at)?;
        if layer.dims.len() != 4 {
            return Err(call.error(format!("input {at} is {:?}, and only [N,C,H,W] is supported", layer.dims)));
        }
        self.shaped(call, layer)
    }
}
