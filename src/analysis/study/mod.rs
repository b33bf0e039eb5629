//! The experiment that a prototype suggests (section 4 of the paper): take groups of images that differ in the cue that the prototype
//! shows, and test whether the network finds the class more often in one group than in another.
//!
//! [`Part::of`] makes the table of one experiment from the network's answers. [`correct_for_many`] corrects
//! the p-values of several experiments for multiple testing. Everything except [`classify_files`] is arithmetic, with the same result on
//! every machine.

mod answer;
mod proportion;
mod resample;
mod table;
mod wording;

pub use answer::{Answer, Group, answer, classify_files};
pub use proportion::{Count, Interval, Pairs, cohens_h, difference, fisher};
pub use resample::{
    Resampling, bootstrap_difference, bootstrap_mean, cliffs_delta, holm, mean, middle, permutation, sign_flips,
};
pub use table::{
    ANY, Asked, AskedClass, Comparison, Difference, GroupRow, Instead, Outcome, Part, PrototypeSeen, Study,
    correct_for_many,
};
pub use wording::{findings, p_value, percent, points};
