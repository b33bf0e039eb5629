//! The experiment that a prototype suggests (section 4 of the paper): groups of pictures that differ in what the prototype
//! shows, how often a network finds the class in each, and whether the difference is more than chance.
//!
//! [`Part::of`] makes the table of one such experiment of what a network said of each picture, [`correct_for_many`] corrects
//! its p-values, and those of others beside it, for being many. All but [`classify_files`] is arithmetic, and the same
//! everywhere.

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
