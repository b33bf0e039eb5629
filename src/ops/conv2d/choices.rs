//! Which variant computes which convolution.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::str::FromStr;

use super::{Conv2d, ConvAlgorithm, ConvKey, TexelsAlgorithm, Tile, product};
use crate::error::{Error, Result};
use crate::gpu::Capabilities;
use crate::ops::TEXELS_MAX_PLANE;
use crate::shape::Shape;

/// Variants by name.
const NAMED: [(&str, ConvAlgorithm); 12] = [
    ("subgroup1", ConvAlgorithm::Subgroup { row_groups: 1 }),
    ("subgroup2", ConvAlgorithm::Subgroup { row_groups: 2 }),
    ("subgroup4", ConvAlgorithm::Subgroup { row_groups: 4 }),
    ("subgroup8", ConvAlgorithm::Subgroup { row_groups: 8 }),
    ("workgroup", ConvAlgorithm::Workgroup { slices: 1 }),
    ("workgroup-split4", ConvAlgorithm::Workgroup { slices: 4 }),
    ("workgroup-split16", ConvAlgorithm::Workgroup { slices: 16 }),
    ("workgroup-winograd2", ConvAlgorithm::Winograd(Tile::F2x3)),
    ("workgroup-winograd4", ConvAlgorithm::Winograd(Tile::F4x3)),
    ("texels", ConvAlgorithm::Texels(TexelsAlgorithm::Direct)),
    ("texels-winograd2", ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(Tile::F2x3))),
    ("texels-winograd4", ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(Tile::F4x3))),
];

impl fmt::Display for ConvAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match NAMED.iter().find(|(_, variant)| variant == self) {
            Some((name, _)) => f.write_str(name),
            None => write!(f, "{self:?}"),
        }
    }
}

impl FromStr for ConvAlgorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let names = || NAMED.map(|(name, _)| name).join(", ");
        let found = NAMED.iter().find(|(name, _)| *name == text).map(|(_, variant)| *variant);
        found.ok_or_else(|| Error::input(format!("`{text}` is not a convolution algorithm: {}", names())))
    }
}

crate::named::as_string!(ConvAlgorithm);

/// Narrower outputs than this have too few tiles of 4x4 for them to pay.
const WIDE: usize = 12;

/// Tiles that keep an adapter busy.
const BUSY: usize = 64;

/// As many partial sums as make one image's tiles enough for an adapter, if the sum is long.
fn slices(conv: &Conv2d, x: Shape, backward: bool) -> u32 {
    let Ok(y) = conv.output("", x) else { return 1 };
    let to = if backward { x } else { y };
    let tiles = to.plane_len().div_ceil(64) * to.c().div_ceil(64);
    let terms = conv.w_shape[usize::from(!backward)] * conv.w_shape[2] * conv.w_shape[3];
    match BUSY / tiles.max(1) {
        _ if terms < 512 => 1,
        0 | 1 => 1,
        2..=4 => 4,
        _ => 16,
    }
}

/// The most slices of a sum.
const MAX_SLICES: u32 = 64;

impl ConvAlgorithm {
    /// The fixed choice for a direction of a convolution. `x`: the shape of its input.
    pub fn choose(capabilities: Capabilities, conv: &Conv2d, x: Shape, backward: bool) -> Self {
        if capabilities.subgroup_size != Some(8) {
            return Self::Workgroup { slices: slices(conv, x, backward) };
        }
        let y = conv.output("", x).unwrap_or(x);
        if capabilities.prefers_texels() && x.plane_len().max(y.plane_len()) <= TEXELS_MAX_PLANE {
            let to = if backward { x } else { y };
            let tile = if to.h().min(to.w()) < WIDE { Tile::F2x3 } else { Tile::F4x3 };
            let winograd = Self::Texels(TexelsAlgorithm::Winograd(tile));
            return if winograd.fits(conv) { winograd } else { Self::Texels(TexelsAlgorithm::Direct) };
        }
        let rows =
            conv.w_shape[usize::from(backward)] * if backward { product::folds(conv).iter().product() } else { 1 };
        let row_groups = rows.div_ceil(4).next_power_of_two().min(8) as u32;
        Self::Subgroup { row_groups }
    }

    /// Every variant that fits the convolution and may be the fastest on such an adapter, the fixed choice first.
    pub fn candidates(capabilities: Capabilities, conv: &Conv2d, x: Shape, backward: bool) -> Vec<Self> {
        let fixed = Self::choose(capabilities, conv, x, backward);
        let others = NAMED.iter().map(|(_, variant)| *variant);
        // Slices multiply the output's memory, whatever the batch: only where they can pay.
        let most = slices(conv, x, backward).max(1);
        let pays = |v: &Self| !matches!(v, Self::Workgroup { slices } if *slices > most);
        let fits = |v: &Self| *v != fixed && v.fits(conv) && v.runs(capabilities) && pays(v);
        [fixed].into_iter().chain(others.filter(fits)).collect()
    }

    /// Whether the convolution can be computed so.
    pub fn fits(self, conv: &Conv2d) -> bool {
        match self {
            // A kernel keeps its rows in arrays of a fixed length.
            Self::Subgroup { row_groups } => return [1, 2, 4, 8].contains(&row_groups),
            Self::Workgroup { slices } => return (1..=MAX_SLICES).contains(&slices),
            Self::Texels(TexelsAlgorithm::Direct) => return true,
            Self::Texels(TexelsAlgorithm::Winograd(_)) | Self::Winograd(_) => {}
        }
        conv.w_shape[2..] == [3, 3] && conv.stride == [1, 1]
    }

    /// Whether it adds products of inputs and weights as they are, and nothing of transformed ones.
    pub fn is_plain(self) -> bool {
        !matches!(self, Self::Texels(TexelsAlgorithm::Winograd(_)) | Self::Winograd(_))
    }

    /// Whether such adapters run it. Where tensors are texels, only what is over texels does.
    fn runs(self, capabilities: Capabilities) -> bool {
        match self {
            Self::Texels(_) => capabilities.prefers_texels(),
            Self::Subgroup { .. } => capabilities.subgroup_size == Some(8) && !capabilities.prefers_texels(),
            Self::Workgroup { .. } | Self::Winograd(_) => !capabilities.prefers_texels(),
        }
    }
}

/// A variant for each direction of each convolution that is known, and the fixed choice for all others. Convolutions are
/// told apart by their extents alone, and not by their batch: an image comes out the same in any batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvAlgorithms {
    capabilities: Capabilities,
    known: HashMap<ConvKey, ConvAlgorithm>,
    plain: bool,
}

impl ConvAlgorithms {
    /// The fixed choice for all.
    pub fn fixed(capabilities: Capabilities) -> Self {
        Self { capabilities, known: HashMap::new(), plain: false }
    }

    /// Plain sums for all, where rounding counts more than time.
    pub fn plain(capabilities: Capabilities) -> Self {
        Self { plain: true, ..Self::fixed(capabilities) }
    }

    /// These of a file, by the text of their [`ConvKey`], and the fixed choice for all others and where an adapter does not run
    /// what is known. A text that names no convolution applies to none.
    pub fn known(capabilities: Capabilities, known: BTreeMap<String, ConvAlgorithm>) -> Self {
        let known = known.into_iter().filter_map(|(key, algorithm)| Some((key.parse().ok()?, algorithm))).collect();
        Self { known, ..Self::fixed(capabilities) }
    }

    /// What the choice depends on.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The variant for a direction of a convolution of x.
    pub fn variant(&self, conv: &Conv2d, x: Shape, backward: bool) -> ConvAlgorithm {
        let known = self.known.get(&ConvKey::of(conv, x, backward)).copied();
        let variant = known
            .filter(|v| v.fits(conv) && v.runs(self.capabilities))
            .unwrap_or_else(|| ConvAlgorithm::choose(self.capabilities, conv, x, backward));
        match variant {
            ConvAlgorithm::Texels(_) if self.plain => ConvAlgorithm::Texels(TexelsAlgorithm::Direct),
            other => other,
        }
    }

    /// All that are known, for a file.
    pub fn all(&self) -> BTreeMap<String, ConvAlgorithm> {
        self.known.iter().map(|(key, algorithm)| (key.to_string(), *algorithm)).collect()
    }

    /// Whether a direction of a convolution is known, as something that the adapter runs.
    pub fn knows(&self, key: &ConvKey) -> bool {
        self.known.get(key).is_some_and(|variant| variant.runs(self.capabilities))
    }

    /// Makes one known.
    pub fn set(&mut self, key: ConvKey, variant: ConvAlgorithm) {
        self.known.insert(key, variant);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_read_back() {
        for (name, variant) in NAMED {
            assert_eq!((variant.to_string().as_str(), name.parse::<ConvAlgorithm>().unwrap()), (name, variant));
        }
        assert!("winograd".parse::<ConvAlgorithm>().unwrap_err().to_string().contains("texels-winograd4"));
    }

    #[test]
    fn what_an_adapter_does_not_run_is_not_chosen() {
        let conv = Conv2d::new(vec![0.0; 9], [1, 1, 3, 3], None, [1, 1], [1; 4]);
        let x = Shape::new(1, 1, 16, 16);
        let [any, software] =
            [(None, false), (Some(8), true)].map(|(subgroup_size, texels)| Capabilities { subgroup_size, texels });
        let known = [(ConvKey::of(&conv, x, false).to_string(), ConvAlgorithm::Texels(TexelsAlgorithm::Direct))];
        let chosen = |capabilities| ConvAlgorithms::known(capabilities, known.clone().into()).variant(&conv, x, false);
        assert_eq!(chosen(software), ConvAlgorithm::Texels(TexelsAlgorithm::Direct));
        assert_eq!(chosen(any), ConvAlgorithm::Workgroup { slices: 1 });
        assert_eq!(ConvAlgorithm::candidates(software, &conv, x, true).len(), 3);
        let tiles = [Tile::F2x3, Tile::F4x3].map(ConvAlgorithm::Winograd);
        let others = [ConvAlgorithm::Workgroup { slices: 1 }, tiles[0], tiles[1]];
        assert_eq!(ConvAlgorithm::candidates(any, &conv, x, true), others);
        let deep = Conv2d { w: vec![0.0; 512 * 512].into(), w_shape: [512, 512, 1, 1], pad: [0; 4], ..conv };
        let x = Shape::new(1, 512, 7, 7);
        let slices = [16, 1, 4].map(|slices| ConvAlgorithm::Workgroup { slices });
        assert_eq!(ConvAlgorithm::candidates(any, &deep, x, false), slices);
    }
}
