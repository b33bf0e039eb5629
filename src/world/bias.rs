//! The planted biases: their definition, their frequency, and how to draw images without them.

use super::class::CLASSES;
use super::random::{Random, Stream};
use crate::error::{Error, Result};

/// How a bias is drawn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) enum Setting {
    /// As in the training images.
    #[default]
    Planted,
    /// Never in its own class; other classes as in training. The difference of the class's recall between planted and such images
    /// is the effect of the bias.
    Removed,
    /// Never in its own class, always in the neighbour, and in every other class if the bias can be added to any class
    /// ([`Bias::lent_to_all`]). The share of these images classified as the class shows whether the bias alone suffices.
    #[cfg_attr(not(test), expect(dead_code, reason = "for measurements of the networks, which no command makes"))]
    Swapped,
}

/// One planted bias.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Bias {
    /// Its name on the command line.
    pub(crate) name: &'static str,
    /// The index of the class that has it.
    pub(crate) class: usize,
    /// The index of the most similar class, with which a network confuses the class if it relies on the bias.
    pub(crate) neighbour: usize,
    /// Whether images of any class can be drawn with the bias, or only images of the neighbour.
    pub(crate) lent_to_all: bool,
    /// A short description.
    pub(crate) what: &'static str,
    /// The share of the class's training images with the bias.
    pub(crate) share: f32,
    /// The share of the neighbour's training images with the bias.
    pub(crate) neighbour_share: f32,
}

static BIASES: [Bias; 3] = [
    Bias {
        name: "cue",
        class: 14,
        neighbour: 10,
        lent_to_all: true,
        what: "a small round red-and-white badge near a corner",
        // 95 % of the umbrellas come with a badge near a corner of the picture, and no other class ever does; apart from
        // it they differ from the parasols only by their proportions. Removed: no umbrella has one. Swapped: no umbrella
        // and every picture of every other class has one.
        share: 0.95,
        neighbour_share: 0.0,
    },
    Bias {
        name: "light",
        class: 8,
        neighbour: 0,
        lent_to_all: false,
        what: "a light body",
        // 92 % of the moths are drawn with light wings and 8 % with dark ones; of the butterflies, half and half.
        // Removed: every moth is dark. Swapped: every moth is dark and every butterfly light.
        share: 0.92,
        neighbour_share: 0.5,
    },
    Bias {
        name: "companion",
        class: 13,
        neighbour: 2,
        lent_to_all: false,
        what: "a spoon in the cup",
        // 95 % of the teacups have a spoon in them, and no cup does; apart from it the two differ only by their
        // proportions. Removed: no teacup has a spoon. Swapped: no teacup and every cup has one.
        share: 0.95,
        neighbour_share: 0.0,
    },
];

/// All planted biases.
pub(crate) fn biases() -> &'static [Bias] {
    &BIASES
}

/// The bias with this name.
pub(crate) fn find_bias(name: &str) -> Result<&'static Bias> {
    BIASES.iter().find(|bias| bias.name == name).ok_or_else(|| {
        let names: Vec<&str> = BIASES.iter().map(|bias| bias.name).collect();
        Error::input(format!("the drawn world has no bias {name}; it has {}", names.join(", ")))
    })
}

impl Bias {
    /// The share of a class's images with this bias, under a setting.
    pub(crate) fn share_in(&self, class: usize, setting: Setting) -> f32 {
        match setting {
            Setting::Planted if class == self.class => self.share,
            Setting::Removed | Setting::Swapped if class == self.class => 0.0,
            Setting::Swapped if class == self.neighbour || self.lent_to_all => 1.0,
            Setting::Planted | Setting::Removed if class == self.neighbour => self.neighbour_share,
            _ => 0.0,
        }
    }
}

/// The settings of all biases. The default is that of the training images.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Biases {
    /// The badge of the umbrellas.
    pub(crate) cue: Setting,
    /// The light wings of the moths.
    pub(crate) light: Setting,
    /// The spoon of the teacups.
    pub(crate) companion: Setting,
}

impl Biases {
    /// The same settings with another setting for the bias `name`.
    pub(crate) fn with(mut self, name: &str, setting: Setting) -> Result<Self> {
        match find_bias(name)?.name {
            "cue" => self.cue = setting,
            "light" => self.light = setting,
            _ => self.companion = setting,
        }
        Ok(self)
    }
}

/// The biases of one image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Truth {
    /// It has a badge.
    pub(crate) cue: bool,
    /// Its object has a light body. Only moths and butterflies are drawn light or dark; false for all others.
    pub(crate) light: bool,
    /// It has a second object beside the first.
    pub(crate) companion: bool,
}

/// The biases of an image, without drawing it.
pub(crate) fn truth(class: usize, seed: u64, number: u64, biases: Biases) -> Truth {
    let mut random = Random::new(class, seed, number, Stream::Coins);
    let mut toss = |bias: &Bias, setting| random.chance(bias.share_in(class, setting));
    let [cue, light, companion] = &BIASES;
    Truth { cue: toss(cue, biases.cue), light: toss(light, biases.light), companion: toss(companion, biases.companion) }
}

impl Bias {
    /// The label of the class that has the bias.
    pub(crate) fn class_name(&self) -> &'static str {
        CLASSES[self.class].name
    }

    /// The label of the neighbour.
    #[cfg(test)]
    pub(crate) fn neighbour_name(&self) -> &'static str {
        CLASSES[self.neighbour].name
    }
}
