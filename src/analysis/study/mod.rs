//! The experiment that a prototype suggests (section 4 of the paper): take groups of images that differ in the cue that the prototype
//! shows, and test whether the network finds the class more often in one group than in another.
//!
//! [`Part::of`] makes the table of one experiment from the network's answers. [`correct_for_many`] corrects
//! the p-values of several experiments for multiple testing. All of it is arithmetic, with the same result
//! on every machine.

mod answer;
pub(crate) mod proportion;
pub(crate) mod resample;
mod table;
mod wording;

pub(crate) use answer::{Answer, Group, answer};
pub(crate) use proportion::Interval;
pub(crate) use resample::{Resampling, bootstrap_mean, sign_flips};
pub(crate) use table::{
    Asked, AskedClass, Comparison, Difference, GroupRow, Outcome, Part, PrototypeSeen, Study, correct_for_many,
};
pub(crate) use wording::{findings, p_value, percent, points};
