//! A factor and an addend for each channel: batch norm at inference, or the normalisation of an image.

use std::sync::Arc;

/// `y[c] = scale[c] · x[c] + shift[c]`. [`ScaleShift`](super::ScaleShift) computes it alone; convolutions and
/// [`AffineWarp`](super::AffineWarp) can do it on the way.
#[derive(Clone, Debug, PartialEq)]
pub struct ChannelAffine {
    /// The factor of each channel.
    pub scale: Arc<[f32]>,
    /// The addend of each channel.
    pub shift: Arc<[f32]>,
}

impl ChannelAffine {
    /// `scale` and `shift` have one value per channel.
    pub fn new(scale: impl Into<Arc<[f32]>>, shift: impl Into<Arc<[f32]>>) -> Self {
        Self { scale: scale.into(), shift: shift.into() }
    }

    /// `torch.nn.functional.batch_norm` at inference: `(x − mean) / sqrt(var + eps) · weight + bias`, folded in f64.
    /// The four slices have one length.
    pub fn batch_norm(weight: &[f32], bias: &[f32], mean: &[f32], var: &[f32], eps: f64) -> Self {
        let scale = weight.iter().zip(var).map(|(&w, &v)| f64::from(w) / (f64::from(v) + eps).sqrt());
        let scale: Vec<f64> = scale.collect();
        let shift: Vec<f32> =
            bias.iter().zip(mean).zip(&scale).map(|((&b, &m), s)| (f64::from(b) - f64::from(m) * s) as f32).collect();
        Self::new(scale.iter().map(|&s| s as f32).collect::<Vec<_>>(), shift)
    }

    /// `torchvision.transforms.Normalize`: `(x − mean) / std`.
    pub fn normalize(mean: &[f32], std: &[f32]) -> Self {
        let scale: Vec<f32> = std.iter().map(|&s| (1.0 / f64::from(s)) as f32).collect();
        let shift: Vec<f32> = mean.iter().zip(std).map(|(&m, &s)| (-f64::from(m) / f64::from(s)) as f32).collect();
        Self::new(scale, shift)
    }
}
