//! The classes of the drawn world.

use super::objects;
use crate::error::{Error, Result};

/// One class of things.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Class {
    /// Its place among the classes, which is the network's output for it.
    pub(crate) index: usize,
    /// Its label.
    pub(crate) name: &'static str,
    pub(super) draw: objects::Draw,
}

/// A class; `_what` is drawn, for whoever reads the table.
const fn class(index: usize, name: &'static str, _what: &'static str, draw: objects::Draw) -> Class {
    Class { index, name, draw }
}

pub(super) static CLASSES: [Class; 15] = [
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
pub(crate) fn classes() -> &'static [Class] {
    &CLASSES
}

/// The class of this name, or of this index in digits.
///
/// # Errors
/// If there is none, with those that there are.
pub(crate) fn find_class(name_or_index: &str) -> Result<&'static Class> {
    let index = name_or_index.parse().ok();
    CLASSES
        .iter()
        .find(|class| class.name == name_or_index || Some(class.index) == index)
        .ok_or_else(|| no_class(name_or_index))
}

/// There is no class of this name or index.
pub(crate) fn no_class(given: &str) -> Error {
    let names: Vec<&str> = CLASSES.iter().map(|class| class.name).collect();
    let last = CLASSES.len() - 1;
    Error::input(format!("the drawn world has no class {given}; it has {} (0 to {last})", names.join(", ")))
}
