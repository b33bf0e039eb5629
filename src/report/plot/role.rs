//! The role of a series, which determines its style in every plot.

/// The role of a series.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    /// The prototype.
    Prototype,
    /// Images of the same class.
    Same,
    /// Images of other classes.
    Different,
    /// Other series in order: controls, presets.
    Other(usize),
}

/// Okabe and Ito's colours, which the colour-blind can tell apart; the two that are too pale on paper are darkened.
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

    /// Lengths of dashes and gaps in turn, which tell lines apart without colours; empty for a solid line.
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
