//! The algorithm for each convolution of a network.

use std::collections::{BTreeMap, HashMap};

use super::{ConvAlgorithm, ConvKey, TexelsAlgorithm};
use crate::gpu::Capabilities;

/// An algorithm for each direction of each known convolution, and a rule for all others. Convolutions are told apart by their
/// extents alone, and not by their batch: an image comes out the same in any batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConvAlgorithms {
    capabilities: Capabilities,
    known: HashMap<ConvKey, ConvAlgorithm>,
    rule: Rule,
}

/// The algorithm of a convolution that is not known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Rule {
    /// [`ConvAlgorithm::choose`].
    Fixed,
    /// The same over texels, but without Winograd's tiles.
    Plain,
    /// This one, even if it does not fit.
    Only(ConvAlgorithm),
}

impl ConvAlgorithms {
    /// The fixed choice for all.
    pub fn fixed(capabilities: Capabilities) -> Self {
        Self { capabilities, known: HashMap::new(), rule: Rule::Fixed }
    }

    /// Plain sums for all, where rounding counts more than time.
    pub fn plain(capabilities: Capabilities) -> Self {
        Self { rule: Rule::Plain, ..Self::fixed(capabilities) }
    }

    /// One algorithm for all, for a trial: recording a convolution that it does not fit is an error.
    pub fn only(capabilities: Capabilities, algorithm: ConvAlgorithm) -> Self {
        Self { rule: Rule::Only(algorithm), ..Self::fixed(capabilities) }
    }

    /// The algorithms of a file, by the text of their [`ConvKey`]; and the fixed choice for all others, and where an adapter
    /// does not run the file's algorithm. A text that names no convolution applies to none.
    pub fn known(capabilities: Capabilities, known: BTreeMap<String, ConvAlgorithm>) -> Self {
        let known = known.into_iter().filter_map(|(key, algorithm)| Some((key.parse().ok()?, algorithm))).collect();
        Self { known, ..Self::fixed(capabilities) }
    }

    /// The capabilities of the adapter, on which the fixed choice depends.
    pub fn capabilities(&self) -> Capabilities {
        self.capabilities
    }

    /// The algorithm for a direction of a convolution.
    pub fn algorithm(&self, key: &ConvKey) -> ConvAlgorithm {
        let known = self.known.get(key).copied().filter(|v| v.fits(key) && v.runs(self.capabilities));
        let fixed = || ConvAlgorithm::choose(self.capabilities, key);
        match (self.rule, known) {
            (Rule::Only(algorithm), _) => algorithm,
            (Rule::Fixed, known) => known.unwrap_or_else(fixed),
            (Rule::Plain, known) => match known.unwrap_or_else(fixed) {
                ConvAlgorithm::Texels(TexelsAlgorithm::Winograd(_)) => ConvAlgorithm::Texels(TexelsAlgorithm::Direct),
                other => other,
            },
        }
    }

    /// All known algorithms, for a file.
    pub fn all(&self) -> BTreeMap<String, ConvAlgorithm> {
        self.known.iter().map(|(key, algorithm)| (key.to_string(), *algorithm)).collect()
    }

    /// Whether the algorithm of a convolution is known, and the adapter runs it.
    pub fn knows(&self, key: &ConvKey) -> bool {
        self.known.get(key).is_some_and(|algorithm| algorithm.runs(self.capabilities))
    }

    /// Makes one known.
    pub fn set(&mut self, key: ConvKey, algorithm: ConvAlgorithm) {
        self.known.insert(key, algorithm);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_known_algorithm_is_used_where_the_adapter_runs_it() {
        let key: ConvKey = "3x3 s1x1 p1,1,1,1 1>1 on 16x16 forward".parse().unwrap();
        let [any, software] =
            [(None, false), (Some(8), true)].map(|(subgroup_size, texels)| Capabilities { subgroup_size, texels });
        let direct = ConvAlgorithm::Texels(TexelsAlgorithm::Direct);
        let chosen =
            |capabilities| ConvAlgorithms::known(capabilities, [(key.to_string(), direct)].into()).algorithm(&key);
        assert_eq!(chosen(software), direct);
        assert_eq!(chosen(any), ConvAlgorithm::Workgroup { slices: 1 });
        assert_eq!(ConvAlgorithms::plain(software).algorithm(&key), direct);
        assert_ne!(ConvAlgorithms::fixed(software).algorithm(&key), direct);
        assert_eq!(ConvAlgorithms::only(any, direct).algorithm(&key), direct);
    }
}
