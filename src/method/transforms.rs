//! Transforms of the image in each step, before it reaches the network: a list, each entry with its own random draws.
//!
//! An entry is text, as on the command line and in settings: `affine`, `pad 12 0.5`, `jitter 8`, `scale 0.9 1 1.1`, `rotate -10 0 10`. All but
//! `affine` are Lucent's (`lucent.optvis.transform`), with its rules for sizes and for the colour outside the image.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::named::as_string;
use crate::{Error, Result};

/// The smallest and the largest scale. The adjoint of a warp visits about `scale²` output pixels for each input pixel, so the upper limit
/// also limits the work of a step.
pub(super) const SCALE_LIMITS: [f64; 2] = [0.05, 20.0];

/// The longest side of a transformed image. This limits memory.
const MAX_SIDE: usize = 2048;

/// The most transforms, and the most values of a transform.
const MAX_TRANSFORMS: usize = 16;
const MAX_VALUES: usize = 256;

/// A transform.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Transform {
    /// The paper's warp: rotates, scales and shifts, see the settings with these names.
    Affine,
    /// Adds pixels on every side.
    Pad {
        /// The number of pixels.
        pixels: usize,
        /// Their value in `[0,1]`, for every channel.
        value: f64,
    },
    /// Shifts by 0 to d − 1 pixels to the right and downwards. The new pixels are 0.
    Jitter(usize),
    /// Resizes by one of these factors, corner to corner. A smaller image is surrounded by zeros.
    Scale(Vec<f64>),
    /// Turns about the centre by one of these angles in degrees, anticlockwise. The new pixels are 0.
    Rotate(Vec<f64>),
}

impl Transform {
    fn check(&self) -> Result<()> {
        let wrong = |must: &str| Err(Error::input(format!("has `{self}`, but {must}")).field("transforms"));
        match self {
            Self::Pad { pixels, .. } if !(1..=MAX_SIDE).contains(pixels) => wrong("a pad has 1 to 2048 pixels"),
            Self::Pad { value, .. } if !(0.0..=1.0).contains(value) => wrong("a pad's value is from 0 to 1"),
            Self::Jitter(d) if !(2..=MAX_SIDE).contains(d) => wrong("a jitter has 2 to 2048 pixels"),
            Self::Scale(values) | Self::Rotate(values) if values.len() > MAX_VALUES => {
                wrong("it may have at most 256 values")
            }
            Self::Scale(scales) if !scales.iter().all(|s| (SCALE_LIMITS[0]..=SCALE_LIMITS[1]).contains(s)) => {
                wrong(&format!("scales are from {} to {}", SCALE_LIMITS[0], SCALE_LIMITS[1]))
            }
            Self::Rotate(angles) if !angles.iter().all(|a| a.abs() <= 360.0) => wrong("angles are from -360 to 360"),
            _ => Ok(()),
        }
    }

    /// The possible lengths of a side after the transform, given those before it.
    fn sides(&self, before: &BTreeSet<usize>) -> BTreeSet<usize> {
        match self {
            Self::Affine | Self::Jitter(_) | Self::Rotate(_) => before.clone(),
            Self::Pad { pixels, .. } => before.iter().map(|side| side + 2 * pixels).collect(),
            Self::Scale(scales) => {
                before.iter().flat_map(|&side| scales.iter().map(move |&scale| scaled(side, scale).side())).collect()
            }
        }
    }
}

/// A side after [`Transform::Scale`]: `inner` pixels of the image, with `pad` zeros before and after.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Scaled {
    pub(super) inner: usize,
    pub(super) pad: usize,
}

impl Scaled {
    pub(super) fn side(self) -> usize {
        self.inner + 2 * self.pad
    }
}

/// Scales a side as Lucent does, which rounds up both numbers. So the side may grow by one pixel.
pub(super) fn scaled(side: usize, scale: f64) -> Scaled {
    let inner = (scale * side as f64).ceil() as usize;
    Scaled { inner, pad: side.saturating_sub(inner).div_ceil(2) }
}

impl fmt::Display for Transform {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut list = |name: &str, values: &[f64]| {
            f.write_str(name)?;
            values.iter().try_for_each(|value| write!(f, " {value}"))
        };
        match self {
            Self::Affine => f.write_str("affine"),
            Self::Pad { pixels, value } => write!(f, "pad {pixels} {value}"),
            Self::Jitter(d) => write!(f, "jitter {d}"),
            Self::Scale(scales) => list("scale", scales),
            Self::Rotate(angles) => list("rotate", angles),
        }
    }
}

impl FromStr for Transform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        let name = words.next().unwrap_or_default();
        let values: Option<Vec<f64>> = words.map(|word| word.parse().ok().filter(|v: &f64| v.is_finite())).collect();
        let whole = |value: f64| (value >= 0.0 && value.fract() == 0.0).then_some(value as usize);
        let parsed = match (name, values.as_deref()) {
            ("affine", Some([])) => Some(Self::Affine),
            ("pad", Some(&[pixels, value])) => whole(pixels).map(|pixels| Self::Pad { pixels, value }),
            ("jitter", Some(&[d])) => whole(d).map(Self::Jitter),
            ("scale", Some(scales @ [_, ..])) => Some(Self::Scale(scales.to_vec())),
            ("rotate", Some(angles @ [_, ..])) => Some(Self::Rotate(angles.to_vec())),
            _ => None,
        };
        parsed.ok_or_else(|| {
            Error::input(format!(
                "`{text}` is not a transform: use affine, pad PIXELS VALUE, jitter PIXELS, scale FACTOR..., or rotate \
                     DEGREES..."
            ))
        })
    }
}

as_string!(Transform);

/// A list of transforms, in order.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Transforms(pub Vec<Transform>);

impl Default for Transforms {
    /// The paper's.
    fn default() -> Self {
        Self(vec![Transform::Affine])
    }
}

impl Transforms {
    /// Checks the list for images of `[height, width]`.
    ///
    /// # Errors
    /// If the list or one of its values is out of range, `affine` follows a transform with a random size, or an image could become too
    /// small or too large.
    pub fn check(&self, size: [usize; 2]) -> Result<()> {
        if self.0.len() > MAX_TRANSFORMS {
            return Err(Error::input(format!("has {} entries, and {MAX_TRANSFORMS} is the most", self.0.len()))
                .field("transforms"));
        }
        self.0.iter().try_for_each(Transform::check)?;
        self.sizes(size).map(drop)
    }

    /// The largest possible `[height, width]`, before the first transform and after each.
    pub(super) fn sizes(&self, [height, width]: [usize; 2]) -> Result<Vec<[usize; 2]>> {
        let (widths, heights) = (self.sides(width, "wide")?, self.sides(height, "high")?);
        Ok(heights.into_iter().zip(widths).map(|(height, width)| [height, width]).collect())
    }

    /// The largest possible length of one side, before the first transform and after each.
    fn sides(&self, side: usize, measure: &str) -> Result<Vec<usize>> {
        let mut possible = BTreeSet::from([side]);
        let mut longest = vec![side];
        for transform in &self.0 {
            if *transform == Transform::Affine && possible.len() > 1 {
                let why =
                    "`affine` needs a fixed size, and `scale` changes it from step to step: put `affine` before it";
                return Err(Error::input(format!("is {self}, but {why}")).field("transforms"));
            }
            let smallest = possible.first().copied().unwrap_or(0);
            possible = transform.sides(&possible);
            let most = possible.last().copied().unwrap_or(0);
            // A single pixel has no corners to resize between.
            let inner = |scales: &Vec<f64>| scales.iter().map(|&scale| scaled(smallest, scale).inner).min();
            let least = if let Transform::Scale(scales) = transform { inner(scales).unwrap_or(0) } else { smallest };
            if least < 2 || most > MAX_SIDE {
                let side = if least < 2 { least } else { most };
                return Err(Error::input(format!(
                    "is {self}, but `{transform}` may make the image {side} pixels {measure}; 2 to {MAX_SIDE} are \
                         possible"
                ))
                .field("transforms"));
            }
            longest.push(most);
        }
        Ok(longest)
    }
}

impl fmt::Display for Transforms {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        let list: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&list.join(","))
    }
}

impl FromStr for Transforms {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text.trim() {
            "none" => Ok(Self(Vec::new())),
            list => list.split(',').map(str::parse).collect::<Result<_>>().map(Self),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lucent's.
    const LUCENT: &str =
        "pad 12 0.5,jitter 8,scale 0.9 0.92 0.94 0.96 0.98 1 1.02 1.04 1.06 1.08 1.1,rotate -10 0 10,jitter 4";

    #[test]
    fn text_round_trips() {
        for text in ["affine", "none", LUCENT, "pad 1 0,affine,jitter 2"] {
            assert_eq!(text.parse::<Transforms>().unwrap().to_string(), text);
        }
        let spaced: Transforms = " jitter  8 , affine".parse().unwrap();
        assert_eq!(spaced.0, [Transform::Jitter(8), Transform::Affine]);
    }

    #[test]
    fn what_is_no_transform_is_named() {
        for text in
            ["", "blur 3", "pad 12", "pad 1.5 0", "jitter", "jitter -8", "scale", "scale nan", "affine 1", "rotate x"]
        {
            let error = text.parse::<Transforms>().unwrap_err().to_string();
            assert!(error.starts_with(&format!("`{text}` is not a transform: use affine,")), "{error}");
        }
        for (text, expected) in [
            ("pad 4096 0", "`transforms` has `pad 4096 0`, but a pad has"),
            ("pad 1 2", "`transforms` has `pad 1 2`, but a pad's value"),
            ("jitter 1", "`transforms` has `jitter 1`, but a jitter has"),
            ("scale 0.01", "`transforms` has `scale 0.01`, but scales are from 0.05 to 20"),
            ("rotate 361", "`transforms` has `rotate 361`, but angles are"),
            ("scale 1 1.1,affine", "`transforms` is scale 1 1.1,affine, but `affine` needs a fixed size"),
            ("scale 20", "`transforms` is scale 20, but `scale 20` may make the image 4480 pixels wide"),
        ] {
            let error = text.parse::<Transforms>().unwrap().check([224; 2]).unwrap_err();
            assert!(error.is_input() && error.to_string().starts_with(expected), "{text}: {error}");
        }
    }

    #[test]
    fn sides_are_lucents() {
        // 0.9 · 152 = 136.8 becomes 137, with 8 zeros on each side; 1.1 · 152 = 167.2 becomes 168.
        assert_eq!(scaled(152, 0.9), Scaled { inner: 137, pad: 8 });
        assert_eq!(scaled(152, 1.0), Scaled { inner: 152, pad: 0 });
        assert_eq!(scaled(152, 1.1), Scaled { inner: 168, pad: 0 });
        let lucent: Transforms = LUCENT.parse().unwrap();
        let sizes = lucent.sizes([128, 64]).unwrap();
        assert_eq!(sizes.iter().map(|size| size[0]).collect::<Vec<_>>(), [128, 152, 152, 168, 168, 168]);
        assert_eq!(sizes.iter().map(|size| size[1]).collect::<Vec<_>>(), [64, 88, 88, 97, 97, 97]);
        let error = "pad 900 0,scale 1.1".parse::<Transforms>().unwrap().check([128, 16]).unwrap_err().to_string();
        assert!(error.contains("`scale 1.1` may make the image 2121 pixels high"), "{error}");
    }
}
