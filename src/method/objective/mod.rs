//! The objective that the prototype stage maximises, as text: `0.7*logit:goldfish - 0.3*channel:layer3.1:17`.
//!
//! Plain data: `parse` reads the text, [`Display`](fmt::Display) writes it back, `resolve` looks its classes and modules up in a
//! network, and `record` turns the result into commands.

mod build;
mod parse;
mod pointed;

pub(super) mod resolve;

use std::fmt;
use std::path::PathBuf;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use resolve::ResolvedObjective;
pub(super) use resolve::resolve_all;

use crate::digest::sha256_hex;
use crate::named::as_string;
use crate::{Error, Result};

/// A weighted sum of terms. The loss of the prototype stage is its negative.
///
/// [`GRAMMAR`] has the grammar. Two objectives are equal if their terms are, whatever text they came from.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Objective {
    /// As it was typed, for errors that point into it.
    text: String,
    terms: Vec<Term>,
}

/// The grammar, for people.
pub const GRAMMAR: &str = "\
OBJECTIVE  [-]TERM, then any number of + TERM or - TERM, with spaces around + and -
TERM       [WEIGHT*]UNIT, such as 0.5*logit:goldfish
UNIT       logit:CLASS            the class's logit
           prob:CLASS             its probability; logprob:CLASS the logarithm of that
           logodds:CLASS/CLASS    the first logit minus the second
           channel:MODULE:C       mean of channel C over all positions
           neuron:MODULE:C[@Y,X]  channel C at row Y and column X, or at the centre
           direction:MODULE:V     mean over all positions of the dot product with V, which is [V0,V1,...] or a
                                  safetensors file with one tensor; V has one number per channel
           layer:MODULE           mean of the squares of the module's output (DeepDream)
           diversity:MODULE       minus the mean cosine similarity between the module's Gram matrix and those of the
                                  other images of the batch
CLASS      an index, a WordNet id or a name; in quotes if it contains : * or a quote, or + or - after a space
MODULE     a name that `protogpu modules` lists, with its channels and extents; its output is what a hook copies";

/// Longest folder name, as of classes.
const MAX_SLUG: usize = 64;

/// One term.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Term {
    pub(super) weight: f64,
    pub(super) unit: Unit,
}

/// What a term is about.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Unit {
    /// The job's own class: its logit, less the part of `log Σ exp(logits)` that `Settings::logsumexp_weight` says; stands alone.
    Class,
    Logit(At<String>),
    Probability(At<String>),
    LogProbability(At<String>),
    LogOdds(At<String>, At<String>),
    Channel(At<String>, At<usize>),
    Neuron(At<String>, At<usize>, Option<[At<usize>; 2]>),
    Direction(At<String>, At<Direction>),
    Layer(At<String>),
    Diversity(At<String>),
}

/// Where a direction comes from.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Direction {
    Numbers(Vec<f32>),
    /// A file, and the SHA-256 that it must have.
    File(PathBuf, Option<String>),
}

/// A part of the text with the place of its first character, which does not count in comparisons.
#[derive(Clone, Debug)]
pub(super) struct At<T> {
    pub(super) value: T,
    pub(super) at: usize,
}

impl<T: PartialEq> PartialEq for At<T> {
    fn eq(&self, other: &Self) -> bool {
        self.value == other.value
    }
}

impl Objective {
    /// The job's class: the paper's logit where `Settings::logsumexp_weight` is 0.
    pub fn class() -> Self {
        Self { text: "class".into(), terms: vec![Term { weight: 1.0, unit: Unit::Class }] }
    }

    /// Whether it is [`Objective::class`].
    pub fn is_class(&self) -> bool {
        matches!(self.terms[..], [Term { unit: Unit::Class, .. }])
    }

    /// The class of an objective that is one class's logit and nothing else, which is the paper's for that class.
    pub(super) fn lone_logit(&self) -> Option<&At<String>> {
        match &self.terms[..] {
            [Term { weight, unit: Unit::Logit(class) }] if *weight == 1.0 => Some(class),
            _ => None,
        }
    }

    /// A folder name: lower-case letters, digits, `.` and `_`, at most 64 of them. Where that is cut off, or leaves out what may tell
    /// objectives apart, such as capitals, hyphens in names, quotes and other scripts, it ends with eight digits of a digest.
    pub fn slug(&self) -> String {
        let (text, mut slug, mut lossy) = (self.to_string(), String::new(), false);
        for c in text.chars() {
            lossy |= !(c.is_ascii_lowercase() || c.is_ascii_digit() || " :@,[]+-*/.".contains(c))
                || c == '-' && slug.ends_with(|c: char| c.is_ascii_alphanumeric());
            match c {
                '-' if slug.is_empty() || slug.ends_with('_') => slug.push_str("minus"),
                '.' if slug.ends_with(|c: char| c.is_ascii_alphanumeric()) => slug.push('.'),
                c if c.is_ascii_alphanumeric() => slug.push(c.to_ascii_lowercase()),
                _ if !slug.is_empty() && !slug.ends_with('_') => slug.push('_'),
                _ => {}
            }
        }
        slug.truncate(slug.trim_end_matches(['_', '.']).len());
        if lossy || slug.len() > MAX_SLUG {
            slug.truncate(MAX_SLUG - 9);
            slug = format!("{slug}_{}", &sha256_hex(text)[..8]);
        }
        slug
    }
}

impl Default for Objective {
    fn default() -> Self {
        Self::class()
    }
}

impl PartialEq for Objective {
    fn eq(&self, other: &Self) -> bool {
        self.terms == other.terms
    }
}

impl FromStr for Objective {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let terms = parse::objective(text)?;
        Ok(Self { text: text.to_owned(), terms })
    }
}

as_string!(Objective);

impl fmt::Display for Objective {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&written(&self.terms).0)
    }
}

/// Terms as text, and the character with which each begins.
fn written(terms: &[Term]) -> (String, Vec<usize>) {
    let (mut text, mut begins) = (String::new(), Vec::new());
    for (i, Term { weight, unit }) in terms.iter().enumerate() {
        text += match (i, *weight < 0.0) {
            (0, false) => "",
            (0, true) => "-",
            (_, false) => " + ",
            (_, true) => " - ",
        };
        begins.push(text.chars().count());
        if weight.abs() != 1.0 {
            text += &format!("{}*", weight.abs());
        }
        text += &unit.to_string();
    }
    (text, begins)
}

impl fmt::Display for Unit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (name, module) =
            (|name: &At<String>| parse::quoted(&name.value), |name: &At<String>| parse::module(&name.value));
        match self {
            Self::Class => f.write_str("class"),
            Self::Logit(class) => write!(f, "logit:{}", name(class)),
            Self::Probability(class) => write!(f, "prob:{}", name(class)),
            Self::LogProbability(class) => write!(f, "logprob:{}", name(class)),
            Self::LogOdds(of, against) => write!(f, "logodds:{}/{}", name(of), name(against)),
            Self::Channel(of, channel) => write!(f, "channel:{}:{}", module(of), channel.value),
            Self::Neuron(of, channel, None) => write!(f, "neuron:{}:{}", module(of), channel.value),
            Self::Neuron(of, channel, Some([y, x])) => {
                write!(f, "neuron:{}:{}@{},{}", module(of), channel.value, y.value, x.value)
            }
            Self::Direction(of, from) => write!(f, "direction:{}:{}", module(of), from.value),
            Self::Layer(of) => write!(f, "layer:{}", module(of)),
            Self::Diversity(of) => write!(f, "diversity:{}", module(of)),
        }
    }
}

impl fmt::Display for Direction {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Numbers(numbers) => {
                let numbers: Vec<String> = numbers.iter().map(f32::to_string).collect();
                write!(f, "[{}]", numbers.join(","))
            }
            Self::File(path, sha256) => {
                f.write_str(&parse::quoted(&path.to_string_lossy()))?;
                sha256.as_ref().map_or(Ok(()), |sha256| write!(f, "#{sha256}"))
            }
        }
    }
}

#[cfg(test)]
mod tests;
