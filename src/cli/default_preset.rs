//! The preset of a command that names none.

use crate::method::Preset;
use crate::method::losses::{NaturalForm, NaturalLayer};
use crate::networks::Network;

/// A preset, and why it is not `natural` if the user should know.
#[derive(Debug, PartialEq)]
pub(super) struct DefaultPreset {
    pub(super) preset: Preset,
    pub(super) why: Option<String>,
}

impl DefaultPreset {
    /// `natural` for classes, if the network knows what its activations are like on photographs; else `paper`. The built-in networks know
    /// drawings only, and `natural` was chosen on photographs.
    pub(super) fn of(network: &Network, built_in: bool, classes: bool) -> Self {
        let paper = |why| Self { preset: Preset::Paper, why };
        if built_in || !classes {
            return paper(None);
        }
        let name = network.weights().name();
        if NaturalLayer::all(network, NaturalForm::Norms).is_empty() {
            return paper(Some(format!(
                "the preset is paper, because {name} has no statistics of photographs, with which other networks recognise prototypes more \
                 often: `protogpu statistics --weights {name} --images DIR --out FILE` measures them, and --natural-statistics FILE uses them"
            )));
        }
        match network.halved() {
            Ok(_) => Self { preset: Preset::Natural, why: None },
            Err(error) => paper(Some(format!("the preset is paper: {error}"))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::networks::Architecture;

    #[test]
    fn natural_needs_classes_and_statistics() {
        let of = |architecture, built_in, classes| {
            let network = Network::generated(architecture, 4, 3, 0).unwrap();
            DefaultPreset::of(&network, built_in, classes)
        };
        let natural = DefaultPreset { preset: Preset::Natural, why: None };
        let paper = DefaultPreset { preset: Preset::Paper, why: None };
        assert_eq!(of(Architecture::ResNet18, false, true), natural);
        assert_eq!(of(Architecture::ResNet18, true, true), paper);
        assert_eq!(of(Architecture::ResNet18, false, false), paper);
        let without = of(Architecture::InceptionV1, false, true);
        assert_eq!(without.preset, Preset::Paper);
        assert!(without.why.unwrap().contains("has no statistics of photographs"));
    }
}
