//! Colours of a JPEG file as RGB.

/// How a file stores colours.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Colours {
    Grey,
    Rgb,
    YCbCr,
    /// Cyan, magenta, yellow and black, inverted as Adobe's programs do.
    Cmyk,
    /// CMYK whose first three are stored as YCbCr.
    Ycck,
}

impl Colours {
    /// The colours of a frame with these components, as libjpeg decides it. `adobe` is the transform that Adobe's segment names.
    pub(super) fn of(ids: &[u8], is_jfif: bool, adobe: Option<u8>) -> Self {
        match (ids, is_jfif, adobe) {
            ([_], ..) => Self::Grey,
            ([_, _, _], true, _) => Self::YCbCr,
            ([_, _, _], _, Some(0)) => Self::Rgb,
            (b"RGB", _, None) => Self::Rgb,
            ([_, _, _], ..) => Self::YCbCr,
            (_, _, Some(0) | None) => Self::Cmyk,
            _ => Self::Ycck,
        }
    }

    /// Appends the pixels of a row, whose components are in these rows.
    pub(super) fn append(self, rows: &[Vec<u8>], pixels: &mut Vec<u8>) {
        match (self, rows) {
            (Self::Grey, [grey]) => pixels.extend_from_slice(grey),
            (Self::Rgb, [r, g, b]) => pixels.extend((0..r.len()).flat_map(|at| [r[at], g[at], b[at]])),
            (Self::YCbCr, [y, cb, cr]) => pixels.extend((0..y.len()).flat_map(|at| rgb(y[at], cb[at], cr[at]))),
            (_, [a, b, c, black]) => pixels.extend((0..a.len()).flat_map(|at| {
                let inks =
                    if self == Self::Ycck { rgb(a[at], b[at], c[at]).map(|v| 255 - v) } else { [a[at], b[at], c[at]] };
                inks.map(|ink| times(ink, black[at]))
            })),
            _ => unreachable!("the number of components decides the colours"),
        }
    }
}

/// `a · b / 255`, rounded to the nearest number.
fn times(a: u8, b: u8) -> u8 {
    ((u32::from(a) * u32::from(b) + 127) / 255) as u8
}

/// The colour of ITU-T T.871 in fixed point with 16 bits. Green is rounded once.
fn rgb(y: u8, cb: u8, cr: u8) -> [u8; 3] {
    const HALF: i32 = 1 << 15;
    let [y, cb, cr] = [i32::from(y), i32::from(cb) - 128, i32::from(cr) - 128];
    let r = y + ((91881 * cr + HALF) >> 16);
    let g = y + ((-22554 * cb - 46802 * cr + HALF) >> 16);
    let b = y + ((116130 * cb + HALF) >> 16);
    [r, g, b].map(|value| value.clamp(0, 255) as u8)
}
