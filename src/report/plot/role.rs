//! What a series is, which decides how it looks: the same in every plot.

/// What a series of a plot is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The prototype.
    Prototype,
    /// Pictures of the same class.
    Same,
    /// Pictures of other classes.
    Different,
    /// Anything else, in the order in which it comes: controls, presets.
    Other(usize),
}

/// Okabe and Ito's colours, which stay apart for the colour-blind; the two of them that are too pale on paper are darkened.
const PROTOTYPE: &str = "#d55e00";
const SAME: &str = "#0072b2";
const DIFFERENT: &str = "#4d4d4d";
const OTHERS: [&str; 4] = ["#b0558a", "#007d5a", "#a67600", "#3d93c9"];

impl Role {
    /// The series' colour.
    pub(super) fn colour(self) -> &'static str {
        match self {
            Self::Prototype => PROTOTYPE,
            Self::Same => SAME,
            Self::Different => DIFFERENT,
            Self::Other(index) => OTHERS[index % OTHERS.len()],
        }
    }

    /// Lengths drawn and left out, in turn, so that lines stay apart without colours as well; none for a whole line.
    pub(super) fn dashes(self) -> &'static [f64] {
        const OTHER: [&[f64]; 5] = [&[1.5, 2.0], &[5.0, 2.0], &[8.0, 2.0, 1.5, 2.0], &[2.5, 1.5], &[10.0, 3.0]];
        match self {
            Self::Prototype | Self::Same => &[],
            Self::Different => &[6.0, 3.0],
            Self::Other(index) => OTHER[index % OTHER.len()],
        }
    }

    /// The line's width.
    pub(super) fn width(self) -> f64 {
        match self {
            Self::Prototype => 2.2,
            Self::Same | Self::Different => 1.6,
            Self::Other(_) => 1.0,
        }
    }
}
