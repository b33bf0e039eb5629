//! The operators that become nodes of the graph, in one list.

use super::call::{Call, Layer};
use super::importer::Importer;
use crate::error::Result;
use crate::ops::Relu;

/// Appends the nodes of an operator, and returns the layer that is its output.
type Import<'a> = fn(&mut Importer<'a>, &Call<'_>) -> Result<Layer>;

/// What imports an operator. `Shape`, `Size` and `Split` are in `mod.rs`, because their outputs are no layer or several.
pub(super) fn import<'a>(op: &str) -> Option<Import<'a>> {
    Some(match op {
        "Abs" | "Celu" | "Elu" | "Erf" | "Exp" | "Gelu" | "HardSigmoid" | "HardSwish" | "LeakyRelu" | "Log"
        | "Mish" | "Neg" | "Reciprocal" | "Selu" | "Softplus" | "Sqrt" | "Tanh" => Importer::unary,
        "Add" | "Div" | "Max" | "Min" | "Mul" | "Pow" | "Sub" | "Sum" => Importer::arithmetic,
        "AveragePool" => Importer::average_pool,
        "BatchNormalization" => Importer::batch_norm,
        "Cast" | "Dropout" | "Identity" => |_, call| call.layer(0),
        "Clip" => Importer::clip,
        "Concat" => Importer::concat,
        "Conv" => Importer::conv,
        "Einsum" => Importer::einsum,
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
        "ReduceL2" | "ReduceMax" | "ReduceMean" | "ReduceMin" | "ReduceSum" => Importer::reduce,
        "Relu" => |importer, call| importer.alike(call, Relu),
        "Sigmoid" => Importer::sigmoid,
        "Slice" => Importer::slice,
        "Transpose" => Importer::transpose,
        _ => return None,
    })
}
