//! relu: y = max(x, 0); dx = dy·[x > 0], so 0 at x = 0 as in PyTorch. x, y: [N,C,H,W].

use super::Tensor;

pub(crate) fn forward(x: &Tensor) -> Tensor {
    x.map(|x| x.max(0.0))
}

/// `x` may be the input or the output: [x > 0] = [y > 0].
pub(crate) fn backward(dy: &Tensor, x: &Tensor) -> Tensor {
    dy.zip(x, |dy, x| if x > 0.0 { dy } else { 0.0 })
}
