//! One transform of the image, written as text on the command line and in settings: `affine`, `pad 12 0.5`, `jitter 8`, `scale 0.9 1 1.1`,
//! `rotate -10 0 10`, `roll 16`, `flip`, `crop 0.5 1`, `noise 0.1`, `unwarped flip`. `pad` to `rotate` are Lucent's (`lucent.optvis.transform`), with its rules
//! for sizes and for the colour outside the image.

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
pub(super) const MAX_SIDE: usize = 2048;

/// The most values of a transform.
const MAX_VALUES: usize = 256;

/// The largest standard deviation of noise.
const MAX_NOISE: f64 = 10.0;

/// The probability of a flip that names none.
const EVEN: f64 = 0.5;

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
    /// Shifts by −d to d pixels along each side. Pixels that leave the image come back at the opposite side.
    Roll(usize),
    /// Mirrors left and right with this probability.
    Flip(f64),
    /// Shows a square part of the image in the image's size. Its side is between these two fractions of the image's sides, and it lies anywhere
    /// within the image.
    Crop([f64; 2]),
    /// Adds normal noise of this standard deviation to every value, in units of pixels in `[0,1]`.
    Noise(f64),
    /// A transform for the steps in which `affine` leaves the image as it is. In the other steps it does nothing.
    Unwarped(Box<Self>),
}

impl Transform {
    /// Checks the values.
    pub(super) fn check(&self) -> Result<()> {
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
            Self::Roll(d) if !(1..=MAX_SIDE).contains(d) => wrong("a roll has 1 to 2048 pixels"),
            Self::Flip(p) if !(0.0..=1.0).contains(p) => wrong("a flip's probability is from 0 to 1"),
            Self::Crop([low, high]) if !(SCALE_LIMITS[0] <= *low && low <= high && *high <= 1.0) => {
                wrong(&format!("a crop has two fractions, {} <= MIN <= MAX <= 1", SCALE_LIMITS[0]))
            }
            Self::Noise(deviation) if !(0.0..=MAX_NOISE).contains(deviation) => wrong("noise is from 0 to 10"),
            Self::Unwarped(inner) => match **inner {
                Self::Jitter(_) | Self::Rotate(_) | Self::Roll(_) | Self::Flip(_) => inner.check(),
                _ => wrong("only jitter, rotate, roll and flip may be unwarped"),
            },
            _ => Ok(()),
        }
    }

    /// The transform itself, without `unwarped`.
    pub(super) fn inner(&self) -> &Self {
        if let Self::Unwarped(inner) = self { inner } else { self }
    }

    /// The possible lengths of a side after the transform, given those before it.
    pub(super) fn sides(&self, before: &BTreeSet<usize>) -> BTreeSet<usize> {
        match self {
            Self::Affine
            | Self::Jitter(_)
            | Self::Rotate(_)
            | Self::Roll(_)
            | Self::Flip(_)
            | Self::Crop(_)
            | Self::Noise(_)
            | Self::Unwarped(_) => before.clone(),
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
            Self::Roll(d) => write!(f, "roll {d}"),
            Self::Flip(p) if *p == EVEN => f.write_str("flip"),
            Self::Flip(p) => write!(f, "flip {p}"),
            Self::Crop(sides) => list("crop", sides),
            Self::Noise(deviation) => write!(f, "noise {deviation}"),
            Self::Unwarped(inner) => write!(f, "unwarped {inner}"),
        }
    }
}

impl FromStr for Transform {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let mut words = text.split_whitespace();
        if let Some((first, inner)) = text.trim().split_once(char::is_whitespace)
            && first == "unwarped"
            && !inner.trim_start().starts_with(first)
        {
            return inner.parse().map(Box::new).map(Self::Unwarped);
        }
        let name = words.next().unwrap_or_default();
        let values: Option<Vec<f64>> = words.map(|word| word.parse().ok().filter(|v: &f64| v.is_finite())).collect();
        let whole = |value: f64| (value >= 0.0 && value.fract() == 0.0).then_some(value as usize);
        let parsed = match (name, values.as_deref()) {
            ("affine", Some([])) => Some(Self::Affine),
            ("pad", Some(&[pixels, value])) => whole(pixels).map(|pixels| Self::Pad { pixels, value }),
            ("jitter", Some(&[d])) => whole(d).map(Self::Jitter),
            ("scale", Some(scales @ [_, ..])) => Some(Self::Scale(scales.to_vec())),
            ("rotate", Some(angles @ [_, ..])) => Some(Self::Rotate(angles.to_vec())),
            ("roll", Some(&[d])) => whole(d).map(Self::Roll),
            ("flip", Some([])) => Some(Self::Flip(EVEN)),
            ("flip", Some(&[p])) => Some(Self::Flip(p)),
            ("crop", Some(&[low, high])) => Some(Self::Crop([low, high])),
            ("noise", Some(&[deviation])) => Some(Self::Noise(deviation)),
            _ => None,
        };
        parsed.ok_or_else(|| {
            Error::input(format!(
                "`{text}` is not a transform: use affine, pad PIXELS VALUE, jitter PIXELS, scale FACTOR..., rotate \
                     DEGREES..., roll PIXELS, flip [P], crop MIN MAX or noise SD, with `unwarped` before one that applies only in steps \
                     without a warp"
            ))
        })
    }
}

as_string!(Transform);
