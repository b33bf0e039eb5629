//! The objective that the prototype stage maximises, as in `0.7*logit:goldfish - 0.3*channel:layer3.1:17`.
//!
//! `term` has its terms as plain data, `parse` reads them from text, `write` writes them, `build` makes them in code, and `resolve` looks
//! up classes and modules in a network.

mod build;
mod parse;
mod pointed;
mod term;
mod write;

pub(super) mod resolve;

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

pub use resolve::ResolvedObjective;
pub(super) use resolve::resolve_all;

use term::{At, Term, Unit};
use write::written;

use crate::digest::sha256_hex;
use crate::named::as_string;
use crate::{Error, Result};

/// A weighted sum of terms, which the prototype stage maximises.
///
/// [`GRAMMAR`] describes the text. Two objectives are equal if their terms are equal, whatever their text.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Objective {
    /// The text as it was typed. Errors point into it.
    text: String,
    terms: Vec<Term>,
}

/// The grammar of the text, for help pages.
pub const GRAMMAR: &str = "\
OBJECTIVE  [-]TERM, then any number of + TERM or - TERM, with spaces around + and -
TERM       [WEIGHT*]UNIT, such as 0.5*logit:goldfish
UNIT       logit:CLASS            the class's logit
           prob:CLASS             its probability; logprob:CLASS the logarithm of that
           logodds:CLASS/CLASS    the first logit minus the second
           channel:MODULE:C       mean of channel C over all positions
           neuron:MODULE:C[@Y,X]  channel C at row Y and column X, or at the centre
           direction:MODULE:V     mean over all positions of the dot product with V, which is
                                  [V0,V1,...] or a safetensors file with one tensor; V has one
                                  number per channel
           layer:MODULE           mean of the squares of the module's output (DeepDream)
           diversity:MODULE       minus the mean cosine similarity of the module's Gram matrix
                                  with those of the other images of the batch
CLASS      an index, a WordNet id or a name; in quotes if it contains :, *, a quote, or a space
           before + or -
MODULE     a name that `protogpu modules` lists; the module's output, as a hook would copy it";

/// The longest folder name, as for classes.
const MAX_SLUG: usize = 64;

impl Objective {
    /// The objective of the paper: the logit of each job's class, less `Settings::logsumexp_weight` times `log Σ exp(logits)`.
    pub fn class() -> Self {
        Self { text: "class".into(), terms: vec![Term { weight: 1.0, unit: Unit::Class }] }
    }

    /// Whether it is [`Objective::class`].
    pub fn is_class(&self) -> bool {
        matches!(self.terms[..], [Term { unit: Unit::Class, .. }])
    }

    /// The class, if the objective is the logit of a class and nothing else.
    fn lone_logit(&self) -> Option<&At<String>> {
        match &self.terms[..] {
            [Term { weight, unit: Unit::Logit(class) }] if *weight == 1.0 => Some(class),
            _ => None,
        }
    }

    /// A folder name of at most 64 lower-case letters, digits, `.` and `_`. If it is cut, or leaves out differences between objectives
    /// (capitals, hyphens in names, quotes, other scripts), it ends with eight digits of a digest.
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

#[cfg(test)]
mod tests;
