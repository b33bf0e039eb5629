//! Shapes and padding arithmetic: pure data, no GPU.

use std::fmt;

use crate::error::{Error, Result};

/// Most extents that a shape has.
pub const MAX_RANK: usize = 6;

/// The extents of a tensor, at most [`MAX_RANK`], row-major with the last the fastest. Networks of today have `[N, C, H, W]`
/// throughout; ops say in [`crate::ops::Op::output`] which rank they take.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Shape {
    rank: u8,
    /// Those past the rank are 1.
    extents: [usize; MAX_RANK],
}

impl Shape {
    /// `[N, C, H, W]`.
    pub const fn new(n: usize, c: usize, h: usize, w: usize) -> Self {
        Self { rank: 4, extents: [n, c, h, w, 1, 1] }
    }

    /// A shape of any rank up to [`MAX_RANK`]; no extents are those of a scalar.
    ///
    /// # Errors
    /// If there are more.
    pub fn of(extents: &[usize]) -> Result<Self> {
        let rank = extents.len();
        if rank > MAX_RANK {
            return Err(Error::input(format!(
                "the shape {extents:?} has {rank} extents, and at most {MAX_RANK} are possible"
            )));
        }
        let mut all = [1; MAX_RANK];
        all[..rank].copy_from_slice(extents);
        Ok(Self { rank: rank as u8, extents: all })
    }

    /// How many extents there are.
    pub const fn rank(self) -> usize {
        self.rank as usize
    }

    /// All extents.
    pub fn extents(&self) -> &[usize] {
        &self.extents[..self.rank()]
    }

    /// The four extents `[N, C, H, W]`.
    ///
    /// # Panics
    /// If the rank is another, as do [`Shape::n`], [`Shape::c`], [`Shape::h`], [`Shape::w`] and [`Shape::plane_len`].
    pub const fn nchw(self) -> [usize; 4] {
        assert!(self.rank == 4, "the shape is not [N,C,H,W]");
        let [n, c, h, w, ..] = self.extents;
        [n, c, h, w]
    }

    /// Images in the batch.
    pub const fn n(self) -> usize {
        self.nchw()[0]
    }

    /// Channels.
    pub const fn c(self) -> usize {
        self.nchw()[1]
    }

    /// Rows.
    pub const fn h(self) -> usize {
        self.nchw()[2]
    }

    /// Columns.
    pub const fn w(self) -> usize {
        self.nchw()[3]
    }

    /// The same with another first extent: that of a batch of `n`. A scalar stays one.
    #[must_use]
    pub const fn with_batch(mut self, n: usize) -> Self {
        if self.rank > 0 {
            self.extents[0] = n;
        }
        self
    }

    /// Number of elements; one of a scalar, and `usize::MAX` if there are more than that, which no tensor has.
    pub const fn len(self) -> usize {
        let [a, b, c, d, e, f] = self.extents;
        if a == 0 || b == 0 || c == 0 || d == 0 || e == 0 || f == 0 {
            return 0;
        }
        a.saturating_mul(b).saturating_mul(c).saturating_mul(d).saturating_mul(e).saturating_mul(f)
    }

    /// Whether there is no element at all.
    pub const fn is_empty(self) -> bool {
        self.len() == 0
    }

    /// Elements of one image: the product of all extents but the first.
    pub const fn image_len(self) -> usize {
        self.with_batch(1).len()
    }

    /// Elements of one channel of one image.
    pub const fn plane_len(self) -> usize {
        self.h().saturating_mul(self.w())
    }
}

/// `[N, C, H, W]`.
impl From<[usize; 4]> for Shape {
    fn from([n, c, h, w]: [usize; 4]) -> Self {
        Self::new(n, c, h, w)
    }
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let extents: Vec<String> = self.extents().iter().map(usize::to_string).collect();
        write!(f, "[{}]", extents.join(","))
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

/// The most that a window, its stride or its padding may be: with it, shaders count positions in i32.
const MAX_WINDOW: usize = 1 << 24;

/// The extent of the padded input along one axis beyond the first window, if the window fits once.
fn beyond_first(input: usize, before: usize, after: usize, kernel: usize, stride: usize) -> Option<usize> {
    let sane =
        input > 0 && kernel > 0 && stride > 0 && [before, after, kernel, stride].iter().all(|&n| n <= MAX_WINDOW);
    sane.then(|| input.checked_add(before + after)?.checked_sub(kernel)).flatten()
}

/// The extents of a window from its first tap to its last: `(k − 1) · dilation + 1`. `None` if they cannot be counted, or a window or a
/// dilation is zero.
pub fn window_span(kernel: [usize; 2], dilation: [usize; 2]) -> Option<[usize; 2]> {
    let along = |axis: usize| {
        let distance = Some(dilation[axis]).filter(|&distance| distance > 0)?;
        kernel[axis].checked_sub(1)?.checked_mul(distance)?.checked_add(1)
    };
    Some([along(0)?, along(1)?])
}

/// The extents of two tensors together, as NumPy broadcasts them: their last axes stand over one another, and where an extent is 1 in one
/// of them, that one is repeated. `None` if they do not fit each other.
pub fn broadcast(a: &[usize], b: &[usize]) -> Option<Vec<usize>> {
    let rank = a.len().max(b.len());
    let extent = |of: &[usize], axis: usize| (axis + of.len()).checked_sub(rank).map_or(1, |axis| of[axis]);
    let both = |axis: usize| match (extent(a, axis), extent(b, axis)) {
        (a, b) if a == b => Some(a),
        (1, b) => Some(b),
        (a, 1) => Some(a),
        _ => None,
    };
    (0..rank).map(both).collect()
}

/// Output extents `[oh, ow]` of a sliding window: `floor((h + top + bottom - kh) / stride) + 1`, as in `torch.nn.Conv2d`.
/// `None` if the window does not fit once, the input has no element, a stride is zero, or an extent exceeds 2^24.
pub fn window_out(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], pad: Pad) -> Option<[usize; 2]> {
    let one =
        |i: usize, before: usize, after: usize, k: usize, s: usize| Some(beyond_first(i, before, after, k, s)? / s + 1);
    Some([one(input[0], pad[0], pad[2], kernel[0], stride[0])?, one(input[1], pad[1], pad[3], kernel[1], stride[1])?])
}

/// As [`window_out`] with `ceil_mode=True` of `torch.nn.MaxPool2d`: the last window may hang over the end, but must
/// start inside the input or its leading padding.
pub fn window_out_ceil(input: [usize; 2], kernel: [usize; 2], stride: [usize; 2], pad: Pad) -> Option<[usize; 2]> {
    let one = |i: usize, before: usize, after: usize, k: usize, s: usize| {
        let out = beyond_first(i, before, after, k, s)?.div_ceil(s) + 1;
        Some(if (out - 1) * s >= i + before { out - 1 } else { out })
    };
    Some([one(input[0], pad[0], pad[2], kernel[0], stride[0])?, one(input[1], pad[1], pad[3], kernel[1], stride[1])?])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_of_any_rank() {
        let shape = |extents: &[usize]| Shape::of(extents).unwrap();
        assert_eq!(shape(&[2, 3, 5, 7]), Shape::new(2, 3, 5, 7));
        assert_ne!(shape(&[2, 3]), shape(&[2, 3, 1]));
        assert_eq!([shape(&[]), shape(&[2, 3, 4]), shape(&[2, 3, 1, 4, 5, 6])].map(Shape::len), [1, 24, 720]);
        assert_eq!((shape(&[2, 3, 4]).image_len(), shape(&[]).image_len()), (12, 1));
        assert_eq!((shape(&[2, 3]).to_string(), shape(&[]).to_string()), ("[2,3]".into(), "[]".into()));
        assert_eq!(shape(&[2, 3]).with_batch(9).extents(), [9, 3]);
        assert_eq!(
            Shape::of(&[1; 7]).unwrap_err().to_string(),
            "the shape [1, 1, 1, 1, 1, 1, 1] has 7 extents, and at most 6 are possible"
        );
    }

    #[test]
    fn broadcasting_is_numpys() {
        assert_eq!(broadcast(&[2, 1, 4], &[3, 1]), Some(vec![2, 3, 4]));
        assert_eq!(broadcast(&[2, 3], &[]), Some(vec![2, 3]));
        assert_eq!(broadcast(&[2, 3], &[2]), None);
    }

    #[test]
    fn elements_do_not_wrap_around() {
        assert_eq!(Shape::new(2, 3, 5, 7).len(), 210);
        assert_eq!(Shape::new(1 << 33, 1 << 31, 1, 1).len(), usize::MAX);
        assert_eq!(Shape::new(1, 1, 1 << 32, 1 << 32).image_len(), usize::MAX);
        assert_eq!(Shape::new(usize::MAX, usize::MAX, 0, 1).len(), 0);
    }

    #[test]
    fn windows_as_torch_counts_them() {
        assert_eq!(window_out([224, 224], [7, 7], [2, 2], [3; 4]), Some([112, 112]));
        assert_eq!(window_out([112, 112], [3, 3], [2, 2], [1; 4]), Some([56, 56]));
        assert_eq!(window_out([5, 9], [3, 2], [2, 3], [1, 0, 0, 2]), Some([2, 4]));
        assert_eq!(window_out([2, 2], [3, 3], [1, 1], [0; 4]), None);
        assert_eq!(window_out([2, 2], [1, 1], [0, 1], [0; 4]), None);
        assert_eq!(window_out([0, 2], [1, 1], [1, 1], [1; 4]), None);
        assert_eq!(window_out([2, 2], [1 << 25, 1], [1, 1], [1 << 24, 0, 1 << 24, 0]), None);
        assert_eq!(window_out_ceil([2, 2], [1, 1], [1, usize::MAX], [0; 4]), None);
        // googlenet: 112 -> 56 -> 28 -> 14 -> 7 with ceil_mode and no padding.
        assert_eq!(window_out_ceil([112, 112], [3, 3], [2, 2], [0; 4]), Some([56, 56]));
        assert_eq!(window_out_ceil([14, 14], [2, 2], [2, 2], [0; 4]), Some([7, 7]));
        // A window that would start in the trailing padding is dropped.
        assert_eq!(window_out_ceil([4, 4], [2, 2], [3, 3], [0; 4]), Some([2, 2]));
        assert_eq!(window_out_ceil([3, 3], [2, 2], [4, 4], [0, 0, 1, 1]), Some([1, 1]));
    }
}
