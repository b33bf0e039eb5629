//! The key by which the algorithm of a convolution is found, and its text in files.

use std::fmt;
use std::str::FromStr;

use crate::error::{Error, Result};
use crate::shape::{Pad, Shape, window_out, window_span};

/// A direction of a convolution, by its extents. The batch is not part of it: an image comes out the same in any batch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize)]
#[serde(into = "String")]
pub struct ConvKey {
    /// Window `[h, w]`.
    pub kernel: [usize; 2],
    /// Stride `[h, w]`.
    pub stride: [usize; 2],
    /// Padding `[top, left, bottom, right]`.
    pub pad: Pad,
    /// Distance between the taps of a window, `[h, w]`.
    pub dilation: [usize; 2],
    /// Groups of channels that are convolved separately.
    pub groups: usize,
    /// Channels of x.
    pub c_in: usize,
    /// Channels of y.
    pub c_out: usize,
    /// Rows and columns of x.
    pub hw: [usize; 2],
    /// Forward or backward.
    pub direction: Direction,
}

/// A direction of a convolution.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Direction {
    /// From x to y.
    Forward,
    /// From dy to dx.
    Backward,
}

impl ConvKey {
    /// The shape of x for a batch.
    pub fn x(&self, batch: usize) -> Shape {
        Shape::new(batch, self.c_in, self.hw[0], self.hw[1])
    }

    /// Rows and columns of y, if the window fits x.
    pub(super) fn y_hw(&self) -> Option<[usize; 2]> {
        window_out(self.hw, window_span(self.kernel, self.dilation)?, self.stride, self.pad)
    }

    /// Whether it is a plain convolution, without dilation and groups.
    pub(super) fn is_dense(&self) -> bool {
        (self.dilation, self.groups) == ([1, 1], 1)
    }
}

/// `3x3 s1x1 p1,1,1,1 64>128 on 56x56 forward`. Dilation and groups follow the padding if they are not 1: `d2x2 g4`.
impl fmt::Display for ConvKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ([kh, kw], [sh, sw], [top, left, bottom, right]) = (self.kernel, self.stride, self.pad);
        write!(f, "{kh}x{kw} s{sh}x{sw} p{top},{left},{bottom},{right} ")?;
        if self.dilation != [1, 1] {
            write!(f, "d{}x{} ", self.dilation[0], self.dilation[1])?;
        }
        if self.groups != 1 {
            write!(f, "g{} ", self.groups)?;
        }
        let direction = if self.direction == Direction::Backward { "backward" } else { "forward" };
        write!(f, "{}>{} on {}x{} {direction}", self.c_in, self.c_out, self.hw[0], self.hw[1])
    }
}

impl From<ConvKey> for String {
    fn from(key: ConvKey) -> Self {
        key.to_string()
    }
}

impl FromStr for ConvKey {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        parse(text).ok_or_else(|| {
            Error::input(format!("`{text}` names no convolution as `3x3 s1x1 p1,1,1,1 64>128 on 56x56 forward` does"))
        })
    }
}

fn parse(text: &str) -> Option<ConvKey> {
    let mut parts = text.split(' ').peekable();
    let kernel = numbers(parts.next()?, 'x')?;
    let stride = numbers(parts.next()?.strip_prefix('s')?, 'x')?;
    let pad = numbers(parts.next()?.strip_prefix('p')?, ',')?;
    let mut optional = |letter: char| parts.next_if(|part| part.starts_with(letter)).map(|part| &part[1..]);
    let dilation = optional('d').map_or(Some([1, 1]), |part| numbers(part, 'x'))?;
    let groups = optional('g').map_or(Some(1), |part| part.parse().ok())?;
    let [c_in, c_out] = numbers(parts.next()?, '>')?;
    let hw = (parts.next()? == "on").then(|| numbers(parts.next()?, 'x'))??;
    let direction = match parts.next()? {
        "forward" => Direction::Forward,
        "backward" => Direction::Backward,
        _ => return None,
    };
    parts.next().is_none().then_some(ConvKey { kernel, stride, pad, dilation, groups, c_in, c_out, hw, direction })
}

/// `N` numbers, separated by a sign.
fn numbers<const N: usize>(text: &str, between: char) -> Option<[usize; N]> {
    let all: Option<Vec<usize>> = text.split(between).map(|number| number.parse().ok()).collect();
    all?.try_into().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_read_back() {
        let plain = ConvKey {
            kernel: [3, 5],
            stride: [1, 2],
            pad: [1, 2, 0, 3],
            dilation: [1, 1],
            groups: 1,
            c_in: 64,
            c_out: 128,
            hw: [56, 28],
            direction: Direction::Forward,
        };
        assert_eq!(plain.to_string(), "3x5 s1x2 p1,2,0,3 64>128 on 56x28 forward");
        let grouped = ConvKey { dilation: [2, 3], groups: 4, direction: Direction::Backward, ..plain };
        assert_eq!(grouped.to_string(), "3x5 s1x2 p1,2,0,3 d2x3 g4 64>128 on 56x28 backward");
        for key in [plain, grouped] {
            assert_eq!(key.to_string().parse::<ConvKey>().unwrap(), key);
        }
        for wrong in ["", "3x5", "3x5 s1x2 p1,2,0 64>128 on 56x28 forward", "3x5 s1x2 p1,2,0,3 64>128 on 56x28 up"] {
            assert!(wrong.parse::<ConvKey>().unwrap_err().to_string().starts_with(&format!("`{wrong}` names no conv")));
        }
    }
}
