//! Weights from a seed. The doc comment of [`super::Weights::generated`] has the definition. Changing it changes every golden
//! value made from it.

use std::collections::{BTreeSet, HashMap};

use safetensors::tensor::TensorView;
use safetensors::{Dtype, serialize};

use crate::error::{Error, Result};
use crate::suggest::shown;

/// The bytes of a safetensors file with these tensors.
pub(super) fn file(manifest: &[(String, Vec<usize>)], seed: u64) -> Result<Vec<u8>> {
    let mut names = BTreeSet::new();
    let mut data = Vec::with_capacity(manifest.len());
    for (name, shape) in manifest {
        if !names.insert(name) {
            return Err(Error::input(format!("cannot generate tensor `{}` twice", shown(name))));
        }
        data.push(values(name, shape, seed)?);
    }
    let unusable = |e| Error::input(format!("cannot generate weights: {e}"));
    let mut views = Vec::with_capacity(manifest.len());
    for ((name, shape), bytes) in manifest.iter().zip(&data) {
        views.push((name, TensorView::new(Dtype::F32, shape.clone(), bytes).map_err(unusable)?));
    }
    // A single key, because the map has no order and the file's digest must not vary.
    let metadata = HashMap::from([("generated".to_string(), format!("protogpu, seed {seed}"))]);
    serialize(views, Some(metadata)).map_err(unusable)
}

/// The values of one tensor, little-endian.
fn values(name: &str, shape: &[usize], seed: u64) -> Result<Vec<u8>> {
    let role = Role::of(name, shape)
        .ok_or_else(|| Error::input(format!("cannot generate `{}` of shape {shape:?}: unknown role", shown(name))))?;
    let len = shape.iter().try_fold(1usize, |product, &extent| product.checked_mul(extent));
    let len = len.filter(|len| len.checked_mul(4).is_some_and(|bytes| bytes <= isize::MAX as usize));
    let len = len.ok_or_else(|| Error::input(format!("cannot generate `{}`: {shape:?} is too large", shown(name))))?;
    let key = fnv1a64(name.as_bytes()) ^ seed;
    let value = |i| (role.value(unit(key, i)) as f32).to_le_bytes();
    Ok((0..len as u64).flat_map(value).collect())
}

/// The role of a tensor, which determines the range of its values.
#[derive(Clone, Copy, Debug)]
enum Role {
    /// A batch norm's variance or scale: positive.
    Scale,
    /// A mean or a bias: small, either sign.
    Shift,
    /// The weight of a convolution or linear layer: preserves the variance through a ReLU (He initialisation).
    Weight { bound: f64 },
}

impl Role {
    fn of(name: &str, shape: &[usize]) -> Option<Self> {
        let (_, kind) = name.rsplit_once('.')?;
        match (kind, shape) {
            ("running_var", _) | ("weight", [_]) => Some(Self::Scale),
            ("running_mean" | "bias", _) => Some(Self::Shift),
            ("weight", [_, inputs @ ..]) if matches!(inputs.len(), 1 | 3) => {
                // In floating point, where a product cannot overflow; exact below 2^53.
                let fan_in: f64 = inputs.iter().map(|&extent| extent as f64).product();
                Some(Self::Weight { bound: (6.0 / fan_in).sqrt() })
            }
            _ => None,
        }
    }

    /// The value for `u` in [0, 1).
    fn value(self, u: f64) -> f64 {
        match self {
            Self::Scale => 0.5 + u,
            Self::Shift => (2.0 * u - 1.0) * 0.1,
            Self::Weight { bound } => (2.0 * u - 1.0) * bound,
        }
    }
}

/// The `i`-th number of a tensor's stream, in [0, 1): 24 bits of SplitMix64, so exact in f32.
fn unit(key: u64, i: u64) -> f64 {
    const GAMMA: u64 = 0x9E37_79B9_7F4A_7C15;
    let mut z = key.wrapping_add((i + 1).wrapping_mul(GAMMA));
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^= z >> 31;
    (z >> 40) as f64 / (1u64 << 24) as f64
}

/// FNV-1a, 64 bits.
fn fnv1a64(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xCBF2_9CE4_8422_2325, |hash, &byte| (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3))
}
