//! Which images were put on white.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The images that were read, and those of them that are transparent and were put on white.
#[derive(Clone, Debug, Default)]
pub(crate) struct Tally {
    read: BTreeSet<PathBuf>,
    on_white: BTreeSet<PathBuf>,
}

impl Tally {
    /// Counts an image, once even if it is read again.
    pub(crate) fn add(&mut self, path: &Path, on_white: bool) {
        self.read.insert(path.to_owned());
        if on_white {
            self.on_white.insert(path.to_owned());
        }
    }

    /// Adds what another has counted.
    pub(crate) fn join(&mut self, other: Self) {
        self.read.extend(other.read);
        self.on_white.extend(other.on_white);
    }

    /// Whether an image was put on white.
    pub(crate) fn is_on_white(&self, path: &Path) -> bool {
        self.on_white.contains(path)
    }

    /// A sentence for people, if an image was put on white.
    pub(crate) fn note(&self) -> Option<String> {
        let first = self.on_white.first()?.display();
        Some(match (self.on_white.len(), self.read.len()) {
            (1, 1) => format!("{first} has transparency and was put on white"),
            (1, all) => format!("1 of {all} pictures has transparency and was put on white: {first}"),
            (some, all) => format!("{some} of {all} pictures have transparency and were put on white, such as {first}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_count_once() {
        let mut tally = Tally::default();
        tally.add(Path::new("b.png"), false);
        assert_eq!(tally.note(), None);
        let mut other = Tally::default();
        other.add(Path::new("a.png"), true);
        assert_eq!(other.note().unwrap(), "a.png has transparency and was put on white");
        tally.join(other);
        tally.add(Path::new("a.png"), true);
        assert_eq!(tally.note().unwrap(), "1 of 2 pictures has transparency and was put on white: a.png");
        tally.add(Path::new("c.png"), true);
        let expected = "2 of 3 pictures have transparency and were put on white, such as a.png";
        assert_eq!(tally.note().unwrap(), expected);
    }
}
