//! What a network expects of its input.

use std::fmt;

use super::Architecture;
use crate::error::{Error, Result};
use crate::ops::ScaleShift;
use crate::suggest::shown;
use crate::weights::Weights;

/// Mean and standard deviation of ImageNet's pixels in `[0,1]`, by which torchvision's networks normalise.
pub const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// See [`IMAGENET_MEAN`].
pub const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// What a network expects of its input: `(range · pixel − mean) / std` for each channel, of pixels in `[0,1]`.
#[derive(Clone, Copy, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The value of a full pixel: 1 as torchvision, 255 as Caffe.
    pub range: f32,
    /// What is subtracted from each channel, red first, in units of `range`.
    pub mean: [f32; 3],
    /// What each channel is divided by after that.
    pub std: [f32; 3],
    /// Whether torchvision's `transform_input` follows, which turns ImageNet's mean and standard deviation into 0.5 and 0.5:
    /// `x · std/0.5 + (mean − 0.5)/0.5`, for weights that were made for such inputs.
    pub transform_input: bool,
}

impl Preprocessing {
    /// Of torchvision's ResNets.
    pub const IMAGENET: Self = Self { range: 1.0, mean: IMAGENET_MEAN, std: IMAGENET_STD, transform_input: false };
    /// Of BVLC's GoogLeNet.
    pub const CAFFE: Self = Self { range: 255.0, mean: [123.0, 117.0, 104.0], std: [1.0; 3], transform_input: false };

    /// What an architecture's published weights expect.
    pub fn usual(architecture: Architecture) -> Self {
        architecture.definition().preprocessing
    }

    /// What the metadata of weights says, under the keys `range`, `mean`, `std` and `transform_input` in JSON; what it does not
    /// say is as usual.
    ///
    /// # Errors
    /// If it says something that is no such value.
    pub fn of(weights: &Weights, architecture: Architecture) -> Result<Self> {
        fn said<T: serde::de::DeserializeOwned>(weights: &Weights, key: &str, usual: T) -> Result<T> {
            let Some(text) = weights.metadata().get(key) else { return Ok(usual) };
            serde_json::from_str(text).map_err(|e| {
                let (name, reason) = (weights.name(), shown(&e.to_string()));
                Error::input(format!("{name}: `{key}` in its metadata is not valid: {reason}"))
            })
        }
        let usual = Self::usual(architecture);
        let input = Self {
            range: said(weights, "range", usual.range)?,
            mean: said(weights, "mean", usual.mean)?,
            std: said(weights, "std", usual.std)?,
            transform_input: said(weights, "transform_input", usual.transform_input)?,
        };
        input.check().map_err(|e| Error::input(format!("{}: in its metadata, {e}", weights.name())))?;
        Ok(input)
    }

    /// # Errors
    /// If a mean is not finite, the range or a standard deviation is not a positive number, or they are so far apart that
    /// pixels cannot be told apart after them.
    pub fn check(&self) -> Result<()> {
        let positive = |v: f32| v.is_normal() && v > 0.0;
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(Error::input(format!("the input's mean {mean} is not a finite number")));
        }
        if let Some(v) = self.std.iter().chain([&self.range]).find(|&&v| !positive(v)) {
            return Err(Error::input(format!(
                "the input's range and standard deviations must be positive numbers, not {v}"
            )));
        }
        let ScaleShift { scale, shift } = self.normalize();
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if !scale.iter().all(|scale| scale.is_normal()) || !finite(&shift) || !finite(&self.mean_colour()) {
            return Err(Error::input(format!("the input's numbers are too far apart ({self})")));
        }
        Ok(())
    }

    /// As files name it in their metadata.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("four numbers are plain data")
    }

    /// From pixels in `[0,1]` to what the first layer reads, in one.
    pub fn normalize(&self) -> ScaleShift {
        let each = |c: usize| {
            let [range, mean, std] = [self.range, self.mean[c], self.std[c]].map(f64::from);
            let (scale, shift) = (range / std, -mean / std);
            if !self.transform_input {
                return (scale, shift);
            }
            let [mean, std] = [IMAGENET_MEAN[c], IMAGENET_STD[c]].map(f64::from);
            (scale * std / 0.5, shift * std / 0.5 + (mean - 0.5) / 0.5)
        };
        let (scale, shift): (Vec<f32>, Vec<f32>) = (0..3).map(|c| (each(c).0 as f32, each(c).1 as f32)).unzip();
        ScaleShift::new(scale, shift)
    }

    /// The colour in `[0,1]` that subtracting the mean makes zero.
    pub fn mean_colour(&self) -> [f32; 3] {
        self.mean.map(|mean| mean / self.range)
    }
}

impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |[r, g, b]: [f32; 3]| format!("{r} {g} {b}");
        write!(f, "RGB 0..{}, mean {}", self.range, list(self.mean))?;
        if self.std != [1.0; 3] {
            write!(f, ", std {}", list(self.std))?;
        }
        if self.transform_input {
            write!(f, ", then transform_input")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn inputs_are_told_in_a_line() {
        let usual = |architecture| Preprocessing::usual(architecture).to_string();
        let imagenet = "RGB 0..1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225";
        assert_eq!(usual(Architecture::ResNet18), imagenet);
        assert_eq!(usual(Architecture::GoogLeNet), format!("{imagenet}, then transform_input"));
        assert_eq!(usual(Architecture::InceptionV1), "RGB 0..255, mean 123 117 104");
    }

    #[test]
    fn numbers_that_leave_nothing_of_a_pixel_are_refused() {
        Preprocessing::IMAGENET.check().unwrap();
        let close = Preprocessing { std: [1e-30; 3], ..Preprocessing::IMAGENET };
        close.check().unwrap();
        let bright = Preprocessing { range: 1e-10, mean: [1e30; 3], std: [1e20; 3], ..close };
        for input in
            [Preprocessing { range: 1e30, ..close }, Preprocessing { range: 1e-30, std: [1e30; 3], ..close }, bright]
        {
            let error = input.check().unwrap_err();
            assert!(error.is_input() && error.to_string().contains("too far apart (RGB 0.."), "{error}");
        }
    }
}
