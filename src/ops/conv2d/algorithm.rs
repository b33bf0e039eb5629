//! How a convolution can be computed: the algorithms, their names in files, and which of them suits a convolution.

use std::fmt;
use std::str::FromStr;

use super::gemm::folds;
use super::window::TexelGroups;
use super::{ConvKey, Direction};
use crate::error::{Error, Result};
use crate::gpu::Capabilities;
use crate::ops::TEXELS_MAX_PLANE;

/// How a convolution is computed. All algorithms give the same sums, each in its own order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum ConvAlgorithm {
    /// One kernel that shuffles between eight lanes; needs subgroups of exactly eight. Tiles of `4 · row_groups` x 64.
    Subgroup {
        /// Rows of the tile in fours: 1, 2, 4 or 8.
        row_groups: u32,
    },
    /// Tiles of 64 x 64 in workgroup memory; runs anywhere.
    Workgroup {
        /// Partial sums that run in parallel, for a small y with a long sum; 1 for one kernel.
        slices: u32,
    },
    /// Winograd's tiles in buffers, multiplied in tiles of 64 x 64 in workgroup memory; for 3x3 windows with stride 1.
    /// Runs anywhere.
    Winograd(Tile),
    /// Each invocation walks over its window; for groups and dilation. Runs anywhere.
    Window,
    /// Over texels, in stages; needs textures that can be read and subgroups of exactly eight: software adapters.
    Texels(TexelsAlgorithm),
}

/// The factors of a product over texels.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TexelsAlgorithm {
    /// Windows as they are.
    Direct,
    /// Each invocation walks over its window; for groups and dilation, if no texel has channels of several groups or each channel is
    /// a group.
    Window,
    /// Winograd's tiles; for 3x3 windows with stride 1.
    Winograd(Tile),
}

/// The outputs that one of Winograd's tiles gives.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Tile {
    /// F(2x2, 3x3): 16 multiplications in place of 36.
    F2x3,
    /// F(4x4, 3x3): 36 multiplications in place of 144; loses about a digit.
    F4x3,
}

/// The algorithms by name.
const NAMED: [(&str, ConvAlgorithm); 14] = [
    ("subgroup1", ConvAlgorithm::Subgroup { row_groups: 1 }),
    ("subgroup2", ConvAlgorithm::Subgroup { row_groups: 2 }),
    ("subgroup4", ConvAlgorithm::Subgroup { row_groups: 4 }),
    ("subgroup8", ConvAlgorithm::Subgroup { row_groups: 8 }),
    ("workgroup", ConvAlgorithm::Workgroup { slices: 1 }),
    ("workgroup-split4", ConvAlgorithm::Workgroup { slices: 4 }),
    ("workgroup-split16", ConvAlgorithm::Workgroup { slices: 16 }),
    ("workgroup-winograd2", ConvAlgorithm::Winograd(Tile::F2x3)),
    ("workgroup-winograd4", ConvAlgorithm::Winograd(Tile::F4x3)),
    ("window", ConvAlgorithm::Window),
    ("texels", ConvAlgorithm::Texels(TexelsAlgorithm::Direct)),
    ("texels-window", ConvAlgorithm::Texels(TexelsAlgorithm::Window)),
    ("texels-winograd2", ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(Tile::F2x3))),
    ("texels-winograd4", ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(Tile::F4x3))),
];

impl fmt::Display for ConvAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|(_, algorithm)| algorithm == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{self:?}"),
        }
    }
}

impl FromStr for ConvAlgorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let names = || NAMED.map(|(name, _)| name).join(", ");
        let found = NAMED.iter().find(|(name, _)| *name == text).map(|(_, algorithm)| *algorithm);
        found.ok_or_else(|| Error::input(format!("`{text}` is not a convolution algorithm: {}", names())))
    }
}

crate::named::as_string!(ConvAlgorithm);

/// Narrower outputs have too few tiles of 4x4 to gain from them.
const WIDE: usize = 12;

/// The number of tiles that keeps an adapter busy.
const BUSY: usize = 64;

/// The most slices of a sum.
const MAX_SLICES: u32 = 64;

/// Channels, rows and columns of the tensor that a direction writes; those of x if the window does not fit.
fn written(key: &ConvKey) -> [usize; 3] {
    let x = [key.c_in, key.hw[0], key.hw[1]];
    match (key.direction, key.y_hw()) {
        (Direction::Forward, Some([h, w])) => [key.c_out, h, w],
        _ => x,
    }
}

/// Enough partial sums to make the tiles of one image keep an adapter busy, if the sum is long.
fn slices(key: &ConvKey) -> u32 {
    if key.y_hw().is_none() {
        return 1;
    }
    let [c, h, w] = written(key);
    let tiles = (h * w).div_ceil(64) * c.div_ceil(64);
    let summed = if key.direction == Direction::Backward { key.c_out } else { key.c_in };
    let terms = summed * key.kernel[0] * key.kernel[1];
    match BUSY / tiles.max(1) {
        _ if terms < 512 => 1,
        0 | 1 => 1,
        2..=4 => 4,
        _ => 16,
    }
}

impl ConvAlgorithm {
    /// The fixed choice for a direction of a convolution.
    pub fn choose(capabilities: Capabilities, key: &ConvKey) -> Self {
        let y_hw = key.y_hw().unwrap_or(key.hw);
        let largest_plane = [key.hw, y_hw].map(|[h, w]| h * w).into_iter().max().unwrap_or(0);
        let texels = capabilities.prefers_texels() && largest_plane <= TEXELS_MAX_PLANE;
        if !key.is_dense() {
            let over_texels = Self::Texels(TexelsAlgorithm::Window);
            return if texels && over_texels.fits(key) { over_texels } else { Self::Window };
        }
        if capabilities.subgroup_size != Some(8) {
            return Self::Workgroup { slices: slices(key) };
        }
        if texels {
            let [_, h, w] = written(key);
            let tile = if h.min(w) < WIDE { Tile::F2x3 } else { Tile::F4x3 };
            let winograd = Self::Texels(TexelsAlgorithm::Winograd(tile));
            return if winograd.fits(key) { winograd } else { Self::Texels(TexelsAlgorithm::Direct) };
        }
        let rows = match key.direction {
            Direction::Forward => key.c_out,
            Direction::Backward => key.c_in * folds(key.c_in, key.stride).iter().product::<usize>(),
        };
        let row_groups = rows.div_ceil(4).next_power_of_two().min(8) as u32;
        Self::Subgroup { row_groups }
    }

    /// Every algorithm that fits the convolution and may be the fastest on such an adapter, the fixed choice first.
    pub fn candidates(capabilities: Capabilities, key: &ConvKey) -> Vec<Self> {
        let fixed = Self::choose(capabilities, key);
        let others = NAMED.iter().map(|(_, algorithm)| *algorithm);
        // Slices multiply the memory of the output, whatever the batch: only try them where they can pay.
        let most = slices(key).max(1);
        let pays = |v: &Self| match v {
            Self::Workgroup { slices } => *slices <= most,
            Self::Window | Self::Texels(TexelsAlgorithm::Window) => !key.is_dense(),
            _ => true,
        };
        let fits = |v: &Self| *v != fixed && v.fits(key) && v.runs(capabilities) && pays(v);
        [fixed].into_iter().chain(others.filter(fits)).collect()
    }

    /// Whether the algorithm can compute the convolution.
    pub fn fits(self, key: &ConvKey) -> bool {
        match self {
            // A kernel keeps its rows in arrays of a fixed length.
            Self::Subgroup { row_groups } => [1, 2, 4, 8].contains(&row_groups) && key.is_dense(),
            Self::Workgroup { slices } => (1..=MAX_SLICES).contains(&slices) && key.is_dense(),
            Self::Window => true,
            Self::Texels(TexelsAlgorithm::Direct) => key.is_dense(),
            Self::Texels(TexelsAlgorithm::Window) => TexelGroups::of_key(key).is_some(),
            Self::Texels(TexelsAlgorithm::Winograd(_)) | Self::Winograd(_) => {
                key.kernel == [3, 3] && key.stride == [1, 1] && key.is_dense()
            }
        }
    }

    /// Whether the algorithm adds plain products of inputs and weights, and not of transformed ones.
    pub fn is_plain(self) -> bool {
        !matches!(self, Self::Texels(TexelsAlgorithm::Winograd(_)) | Self::Winograd(_))
    }

    /// Whether such adapters run it within a network. Where tensors are texels, only algorithms over texels do.
    pub(super) fn runs(self, capabilities: Capabilities) -> bool {
        match self {
            Self::Texels(_) => capabilities.prefers_texels(),
            Self::Subgroup { .. } => capabilities.subgroup_size == Some(8) && !capabilities.prefers_texels(),
            Self::Workgroup { .. } | Self::Winograd(_) | Self::Window => !capabilities.prefers_texels(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (name, algorithm) in NAMED {
            assert_eq!((algorithm.to_string().as_str(), name.parse::<ConvAlgorithm>().unwrap()), (name, algorithm));
        }
        assert!("winograd".parse::<ConvAlgorithm>().unwrap_err().to_string().contains("texels-winograd4"));
    }

    #[test]
    fn candidates_suit_the_adapter_and_the_convolution() {
        let key: ConvKey = "3x3 s1x1 p1,1,1,1 1>1 on 16x16 backward".parse().unwrap();
        let [any, software] =
            [(None, false), (Some(8), true)].map(|(subgroup_size, texels)| Capabilities { subgroup_size, texels });
        assert_eq!(ConvAlgorithm::candidates(software, &key).len(), 3);
        let tiles = [Tile::F2x3, Tile::F4x3].map(ConvAlgorithm::Winograd);
        let others = [ConvAlgorithm::Workgroup { slices: 1 }, tiles[0], tiles[1]];
        assert_eq!(ConvAlgorithm::candidates(any, &key), others);
        let deep = "1x1 s1x1 p0,0,0,0 512>512 on 7x7 forward".parse().unwrap();
        let slices = [16, 1, 4].map(|slices| ConvAlgorithm::Workgroup { slices });
        assert_eq!(ConvAlgorithm::candidates(any, &deep), slices);
    }
}
