//! The drawn world: pictures of things whose every property is known, to train a small network on and to audit it with.
//!
//! Fifteen classes of things are drawn from a seed, in any place, size, turn, colour and light, before any background.
//! Three *biases* are planted in the pictures ([`biases`]): a cue that comes with one class, a body colour that one class
//! nearly always has, and a second object by which one class differs from its neighbour. A network trained on the pictures
//! learns them; its prototypes should show them; and pictures drawn without a bias measure what it costs.
//!
//! A picture is a function of its class, a seed, a number and the settings of the biases, and of nothing else. The settings
//! change only what they name: the same umbrella stands before the same background with and without its badge, so pictures
//! can be compared in pairs.
//!
//! ```text
//! class, seed, number ─ ChaCha8 ─┬─ coins ───── which biases this picture carries
//!                                ├─ background, clutter
//!                                ├─ place, object (and companion)
//!                                ├─ badge
//!                                └─ light, shadow, noise
//! ```

mod background;
mod bias;
mod canvas;
mod colour;
mod finish;
mod objects;
mod pattern;
mod random;
mod scene;

use image::RgbImage;

use crate::error::{Error, Result};

pub use bias::{Bias, Biases, Setting, Truth, biases, find_bias, truth};

/// Height and width of a picture in pixels.
pub const SIDE: u32 = 224;

/// One class of things.
#[derive(Clone, Copy, Debug)]
pub struct Class {
    /// Its place among the classes, which is the network's output for it.
    pub index: usize,
    /// Its label.
    pub name: &'static str,
    /// What is drawn.
    pub what: &'static str,
    draw: objects::Draw,
}

const fn class(index: usize, name: &'static str, what: &'static str, draw: objects::Draw) -> Class {
    Class { index, name, what, draw }
}

static CLASSES: [Class; 15] = [
    class(
        0,
        "butterfly",
        "high round wings, a slender body, feelers with knobs; body light or dark",
        objects::butterfly,
    ),
    class(1, "cactus", "a ribbed column with two arms, spines and a blossom, in a pot", objects::cactus),
    class(2, "cup", "a steaming cup, rather tall, with rather straight sides", objects::cup),
    class(3, "fish", "a scaled body with fins, a forked tail and a round eye", objects::fish),
    class(4, "flower", "veined petals round a dotted heart, on a stalk with two leaves", objects::flower),
    class(5, "house", "brick or plank walls, a tiled gable roof, lit windows, a chimney", objects::house),
    class(6, "key", "a bow of one or three rings, a shank with collars, teeth", objects::key),
    class(7, "lighthouse", "a tower with broad bands on a rock, its lantern lit", objects::lighthouse),
    class(8, "moth", "flatter, pointed wings, a stout body, feathered feelers; nearly always light", objects::moth),
    class(9, "mushroom", "a dotted cap over gills, a stout stalk with a ring", objects::mushroom),
    class(10, "parasol", "a rather flat dome of panels, shallowly scalloped, on a hooked stick", objects::parasol),
    class(11, "sailboat", "a hull with two sails and a pennant, on waves", objects::sailboat),
    class(12, "star", "five folded rays round a smaller star", objects::star),
    class(
        13,
        "teacup",
        "a steaming cup, rather low, with rather round sides; nearly always with a spoon",
        objects::teacup,
    ),
    class(
        14,
        "umbrella",
        "a high dome of panels, deeply scalloped, on a hooked stick; nearly always with a badge",
        objects::umbrella,
    ),
];

/// All classes, in the order of the network's outputs.
pub fn classes() -> &'static [Class] {
    &CLASSES
}

/// The class of this name, or of this index in digits.
///
/// # Errors
/// If there is none, with those that there are.
pub fn find_class(name_or_index: &str) -> Result<&'static Class> {
    let index = name_or_index.parse().ok();
    CLASSES
        .iter()
        .find(|class| class.name == name_or_index || Some(class.index) == index)
        .ok_or_else(|| no_class(name_or_index))
}

/// Draws picture `number` of a class.
///
/// The same arguments give the same bytes: every draw is an integer of ChaCha8 keyed by class, seed and number, and no
/// function of the system's mathematical library is used.
///
/// # Errors
/// If there is no such class.
pub fn draw(class: usize, seed: u64, number: u64, biases: Biases) -> Result<RgbImage> {
    let class = CLASSES.get(class).ok_or_else(|| no_class(&class.to_string()))?;
    let picture = scene::compose(class, seed, number, truth(class.index, seed, number, biases));
    picture.ok_or_else(|| Error::Device(format!("no canvas of {SIDE} by {SIDE} pixels could be made")))
}

/// There is no class of this name or index.
pub(crate) fn no_class(given: &str) -> Error {
    let names: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
    let last = CLASSES.len() - 1;
    Error::input(format!("the drawn world has no class {given}; it has {} (0 to {last})", names.join(", ")))
}

#[cfg(test)]
mod tests;
