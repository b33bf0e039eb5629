//! The operations on pixels before the first layer of a network.

use std::fmt;

use crate::error::{Error, Result};
use crate::ops::ChannelAffine;

/// Mean and standard deviation of ImageNet's pixels in `[0,1]`, by which torchvision's networks normalise.
const IMAGENET_MEAN: [f32; 3] = [0.485, 0.456, 0.406];
/// See [`IMAGENET_MEAN`].
const IMAGENET_STD: [f32; 3] = [0.229, 0.224, 0.225];

/// From pixels in `[0,1]` to the input of the first layer: `(range · pixel − mean) / std` in each channel.
#[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preprocessing {
    /// The value of a full pixel: 1 in torchvision, 255 in Caffe.
    pub range: f32,
    /// The number subtracted from each channel, red first, in units of `range`.
    pub mean: Vec<f32>,
    /// The number by which each channel is then divided.
    pub std: Vec<f32>,
    /// Whether torchvision's `transform_input` follows, which turns ImageNet's mean and standard deviation into 0.5 and 0.5:
    /// `x · std/0.5 + (mean − 0.5)/0.5`, for weights that were made for such inputs. It needs three channels.
    pub transform_input: bool,
}

impl Preprocessing {
    /// That of torchvision's ResNets, which take three channels.
    pub fn imagenet() -> Self {
        let (mean, std) = (IMAGENET_MEAN.to_vec(), IMAGENET_STD.to_vec());
        Self { range: 1.0, mean, std, transform_input: false }
    }

    /// That of BVLC's GoogLeNet, which takes three channels.
    pub fn caffe() -> Self {
        Self { range: 255.0, mean: vec![123.0, 117.0, 104.0], std: vec![1.0; 3], transform_input: false }
    }

    /// No operation: the first layer reads the pixels.
    pub(crate) fn identity(channels: usize) -> Self {
        Self { range: 1.0, mean: vec![0.0; channels], std: vec![1.0; channels], transform_input: false }
    }

    /// Checks that this suits images with `channels` channels.
    ///
    /// # Errors
    /// If there is not one mean and one standard deviation a channel, or as [`Preprocessing::check`].
    pub(super) fn check_for(&self, channels: usize) -> Result<()> {
        for (what, len) in [("mean", self.mean.len()), ("std", self.std.len())] {
            if len != channels {
                return Err(Error::input(format!(
                    "`{what}` has {len} values but the network's images have {channels} channels: give one for each"
                )));
            }
        }
        self.check()
    }

    /// Checks the numbers.
    ///
    /// # Errors
    /// If there are more means than standard deviations or fewer; `transform_input` follows and there are not three; a mean is not
    /// finite; the range or a standard deviation is not a positive number; or the numbers are so far apart that all pixels become
    /// the same.
    pub fn check(&self) -> Result<()> {
        let positive = |v: f32| v.is_normal() && v > 0.0;
        let channels = self.mean.len();
        if channels != self.std.len() {
            let std = self.std.len();
            return Err(Error::input(format!("`mean` has {channels} values but `std` has {std}: give one a channel")));
        }
        if self.transform_input && channels != 3 {
            return Err(Error::input(format!("`transform_input` needs three channels, and there are {channels}")));
        }
        if let Some(mean) = self.mean.iter().find(|mean| !mean.is_finite()) {
            return Err(Error::input(format!("the input's mean {mean} is not a finite number")));
        }
        if let Some(v) = self.std.iter().chain([&self.range]).find(|&&v| !positive(v)) {
            return Err(Error::input(format!(
                "the input's range and standard deviations must be positive numbers, not {v}"
            )));
        }
        let ChannelAffine { scale, shift } = self.normalize();
        let finite = |values: &[f32]| values.iter().all(|value| value.is_finite());
        if !scale.iter().all(|scale| scale.is_normal()) || !finite(&shift) || !finite(&self.mean_colour()) {
            return Err(Error::input(format!("the input's numbers are too far apart ({self})")));
        }
        Ok(())
    }

    /// As JSON, for a file's metadata.
    pub(crate) fn to_json(&self) -> String {
        serde_json::to_string(self).expect("numbers are plain data")
    }

    /// The factor and addend of each channel.
    pub(crate) fn normalize(&self) -> ChannelAffine {
        let each = |(c, (&mean, &std)): (usize, (&f32, &f32))| {
            let [range, mean, std] = [self.range, mean, std].map(f64::from);
            let (scale, shift) = (range / std, -mean / std);
            if !self.transform_input {
                return (scale as f32, shift as f32);
            }
            let [mean, std] = [IMAGENET_MEAN[c], IMAGENET_STD[c]].map(f64::from);
            ((scale * std / 0.5) as f32, (shift * std / 0.5 + (mean - 0.5) / 0.5) as f32)
        };
        let (scale, shift): (Vec<f32>, Vec<f32>) = self.mean.iter().zip(&self.std).enumerate().map(each).unzip();
        ChannelAffine::new(scale, shift)
    }

    /// The colour in `[0,1]` that becomes zero when the mean is subtracted, one value per channel.
    pub(crate) fn mean_colour(&self) -> Vec<f32> {
        self.mean.iter().map(|mean| mean / self.range).collect()
    }
}

impl fmt::Display for Preprocessing {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let list = |values: &[f32]| values.iter().map(f32::to_string).collect::<Vec<_>>().join(" ");
        let channels = match self.mean.len() {
            1 => "grey",
            3 => "RGB",
            4 => "RGBA",
            _ => "channels",
        };
        write!(f, "{channels} 0..{}, mean {}", self.range, list(&self.mean))?;
        if self.std.iter().any(|&std| std != 1.0) {
            write!(f, ", std {}", list(&self.std))?;
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
    use crate::networks::Architecture;

    #[test]
    fn preprocessing_is_told_in_a_line() {
        let usual = |architecture| Preprocessing::usual(architecture, 3).to_string();
        let imagenet = "RGB 0..1, mean 0.485 0.456 0.406, std 0.229 0.224 0.225";
        assert_eq!(usual(Architecture::ResNet18), imagenet);
        assert_eq!(usual(Architecture::GoogLeNet), format!("{imagenet}, then transform_input"));
        assert_eq!(usual(Architecture::InceptionV1), "RGB 0..255, mean 123 117 104");
        assert_eq!(Preprocessing::usual(Architecture::GoogLeNet, 1).to_string(), "grey 0..1, mean 0");
    }

    #[test]
    fn numbers_that_leave_nothing_of_a_pixel_are_refused() {
        Preprocessing::imagenet().check().unwrap();
        let close = Preprocessing { std: vec![1e-30; 3], ..Preprocessing::imagenet() };
        close.check().unwrap();
        let bright = Preprocessing { range: 1e-10, mean: vec![1e30; 3], std: vec![1e20; 3], transform_input: false };
        let wide = Preprocessing { range: 1e-30, std: vec![1e30; 3], ..close.clone() };
        for input in [Preprocessing { range: 1e30, ..close.clone() }, wide, bright] {
            let error = input.check().unwrap_err();
            assert!(error.is_input() && error.to_string().contains("too far apart (RGB 0.."), "{error}");
        }
    }

    #[test]
    fn every_channel_needs_its_numbers() {
        let error = |input: Preprocessing, channels| input.check_for(channels).unwrap_err().to_string();
        let grey = Preprocessing { mean: vec![0.5], ..Preprocessing::imagenet() };
        assert!(error(grey, 3).starts_with("`mean` has 1 values but the network's images have 3 channels"));
        assert!(error(Preprocessing::imagenet(), 4).starts_with("`mean` has 3 values"));
        let pair = Preprocessing { std: vec![1.0; 2], ..Preprocessing::imagenet() };
        assert!(pair.check().unwrap_err().to_string().starts_with("`mean` has 3 values but `std` has 2"));
        let transformed = Preprocessing { transform_input: true, ..Preprocessing::identity(1) };
        assert_eq!(error(transformed, 1), "`transform_input` needs three channels, and there are 1");
    }
}
