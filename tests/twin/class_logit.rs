//! class_logit: loss[n] = −z[n, class[n]]; dz = −1 there, 0 elsewhere. z: logits [N,K,1,1].

use super::Tensor;

/// One value per image.
pub(crate) fn forward(z: &Tensor, class: &[usize]) -> Vec<f64> {
    (0..z.shape[0]).map(|n| -z[[n, class[n], 0, 0]]).collect()
}

pub(crate) fn backward(z: &Tensor, class: &[usize]) -> Tensor {
    let mut dz = Tensor::zeros(z.shape);
    for (n, &class) in class.iter().enumerate() {
        dz[[n, class, 0, 0]] = -1.0;
    }
    dz
}
