//! Shapes and padding arithmetic: pure data, no GPU.

use std::fmt;

/// The shape of a tensor, `[N, C, H, W]`, row-major with W fastest.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape(pub [usize; 4]);

impl Shape {
    /// A shape from its four extents.
    pub const fn new(n: usize, c: usize, h: usize, w: usize) -> Self {
        Self([n, c, h, w])
    }

    /// Images in the batch.
    pub const fn n(self) -> usize {
        self.0[0]
    }

    /// Channels.
    pub const fn c(self) -> usize {
        self.0[1]
    }

    /// Rows.
    pub const fn h(self) -> usize {
        self.0[2]
    }

    /// Columns.
    pub const fn w(self) -> usize {
        self.0[3]
    }

    /// Number of elements.
    pub const fn len(self) -> usize {
        self.0[0] * self.0[1] * self.0[2] * self.0[3]
    }

    /// Whether there is no element at all.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Elements of one image.
    pub const fn image_len(self) -> usize {
        self.0[1] * self.0[2] * self.0[3]
    }

    /// Elements of one channel of one image.
    pub const fn plane_len(self) -> usize {
        self.0[2] * self.0[3]
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [n, c, h, w] = self.0;
        write!(f, "[{n},{c},{h},{w}]")
    }
}

impl fmt::Debug for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// What one picture is to a network or an optimiser: channels, rows and columns of `[C,H,W]`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct ImageSpec {
    /// 1 for grey, 3 for RGB, 4 for RGBA.
    pub channels: usize,
    /// Rows.
    pub height: usize,
    /// Columns.
    pub width: usize,
}

impl ImageSpec {
    /// Elements of a picture.
    pub const fn len(self) -> usize {
        self.channels * self.height * self.width
    }

    /// Whether there is no element at all.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// The shape of a batch of `n` pictures, `[N,C,H,W]`.
    pub const fn batch(self, n: usize) -> Shape {
        Shape::new(n, self.channels, self.height, self.width)
    }
}

impl fmt::Display for ImageSpec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}x{}x{}", self.channels, self.height, self.width)
    }
}

/// Padding on the four sides: `[top, left, bottom, right]`.
pub type Pad = [usize; 4];

/// Output extents `[oh, ow]` of a sliding window: `floor((h + top + bottom - kh) / stride) + 1`, as in `torch.nn.Conv2d`.
/// `None` if the window does not fit once, or a stride is zero.
pub fn window_out(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], pad: Pad) -> Option<[usize; 2]> {
    let one = |i: usize, before: usize, after: usize, k: usize, s: usize| {
        (s > 0 && k > 0).then_some(())?;
        Some((i + before + after).checked_sub(k)? / s + 1)
    };
    Some([one(input[0], pad[0], pad[2], kernel[0], stride[0])?, one(input[1], pad[1], pad[3], kernel[1], stride[1])?])
}

/// As [`window_out`] with `ceil_mode=True` of `torch.nn.MaxPool2d`: the last window may hang over the end, but must
/// start inside the input or its leading padding.
pub fn window_out_ceil(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], pad: Pad) -> Option<[usize; 2]> {
    let one = |i: usize, before: usize, after: usize, k: usize, s: usize| {
        (s > 0 && k > 0).then_some(())?;
        let out = (i + before + after).checked_sub(k)?.div_ceil(s) + 1;
        Some(if (out - 1) * s >= i + before { out - 1 } else { out })
    };
    Some([one(input[0], pad[0], pad[2], kernel[0], stride[0])?, one(input[1], pad[1], pad[3], kernel[1], stride[1])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn windows_as_torch_counts_them() {
        assert_eq!(window_out([224, 224], [7, 7], [2, 2], [3; 4]), Some([112, 112]));
        assert_eq!(window_out([112, 112], [3, 3], [2, 2], [1; 4]), Some([56, 56]));
        assert_eq!(window_out([5, 9], [3, 2], [2, 3], [1, 0, 0, 2]), Some([2, 4]));
        assert_eq!(window_out([2, 2], [3, 3], [1, 1], [0; 4]), None);
        assert_eq!(window_out([2, 2], [1, 1], [0, 1], [0; 4]), None);
        // googlenet: 112 -> 56 -> 28 -> 14 -> 7 with ceil_mode and no padding.
        assert_eq!(window_out_ceil([112, 112], [3, 3], [2, 2], [0; 4]), Some([56, 56]));
        assert_eq!(window_out_ceil([14, 14], [2, 2], [2, 2], [0; 4]), Some([7, 7]));
        // A window that would start in the trailing padding is dropped.
        assert_eq!(window_out_ceil([4, 4], [2, 2], [3, 3], [0; 4]), Some([2, 2]));
        assert_eq!(window_out_ceil([3, 3], [2, 2], [4, 4], [0, 0, 1, 1]), Some([1, 1]));
    }
}
