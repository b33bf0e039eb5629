//! The list of transforms of the image in each step, before it reaches the network. Each entry has its own random draws.

use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use super::transform::{MAX_SIDE, Transform, scaled};
use crate::{Error, Result};

/// The most transforms.
const MAX_TRANSFORMS: usize = 16;

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
        let unwarped = self.0.iter().find(|transform| matches!(transform, Transform::Unwarped(_)));
        if let Some(unwarped) = unwarped.filter(|_| !self.0.contains(&Transform::Affine)) {
            let why = "there is no `affine`, so no step has a warp: leave out `unwarped`";
            return Err(Error::input(format!("has `{unwarped}`, but {why}")).field("transforms"));
        }
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
    use super::super::transform::Scaled;
    use super::*;

    /// Lucent's.
    const LUCENT: &str =
        "pad 12 0.5,jitter 8,scale 0.9 0.92 0.94 0.96 0.98 1 1.02 1.04 1.06 1.08 1.1,rotate -10 0 10,jitter 4";

    #[test]
    fn text_round_trips() {
        for text in [
            "affine",
            "none",
            LUCENT,
            "pad 1 0,affine,jitter 2",
            "roll 16,flip,flip 0.25,crop 0.05 0.5,noise 0.1",
            "unwarped flip,affine",
        ] {
            assert_eq!(text.parse::<Transforms>().unwrap().to_string(), text);
        }
        let spaced: Transforms = " jitter  8 , affine".parse().unwrap();
        assert_eq!(spaced.0, [Transform::Jitter(8), Transform::Affine]);
    }

    #[test]
    fn what_is_no_transform_is_named() {
        for text in [
            "",
            "blur 3",
            "pad 12",
            "pad 1.5 0",
            "jitter",
            "jitter -8",
            "scale",
            "scale nan",
            "affine 1",
            "rotate x",
            "roll",
            "roll 1.5",
            "flip 1 2",
            "noise",
            "unwarped",
            "unwarped unwarped flip",
        ] {
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
            ("roll 0", "`transforms` has `roll 0`, but a roll has"),
            ("flip 1.5", "`transforms` has `flip 1.5`, but a flip's probability is"),
            ("crop 0.5 0.25", "`transforms` has `crop 0.5 0.25`, but a crop has two fractions, 0.05 <="),
            ("noise -1", "`transforms` has `noise -1`, but noise is from 0 to 10"),
            ("unwarped flip 2,affine", "`transforms` has `flip 2`, but a flip's"),
            ("unwarped noise 1,affine", "`transforms` has `unwarped noise 1`, but only jitter, rotate, roll and flip"),
            ("jitter 2,unwarped flip", "`transforms` has `unwarped flip`, but there is no `affine`"),
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
