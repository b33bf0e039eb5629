//! Objectives built in code: constructors of single terms, and sums of them. The same terms can be parsed from text.

use std::ops::{Add, Mul, Neg, Sub};

use super::Objective;
use super::pointed::Fault;
use super::term::{At, Direction, MAX_TERMS, Term, Unit};
use super::write::written;

/// A part that does not come from text. [`Objective::of`] sets its position in the text that is written.
fn at<T>(value: T) -> At<T> {
    At { value, at: 0 }
}

/// Classes are given by index, WordNet id or name, modules by name. [`Objective::resolve`] checks that a network has them.
impl Objective {
    /// A class's logit.
    pub fn logit(class: impl Into<String>) -> Self {
        Self::unit(Unit::Logit(at(class.into())))
    }

    /// A class's probability.
    pub fn probability(class: impl Into<String>) -> Self {
        Self::unit(Unit::Probability(at(class.into())))
    }

    /// The logarithm of a class's probability.
    pub fn log_probability(class: impl Into<String>) -> Self {
        Self::unit(Unit::LogProbability(at(class.into())))
    }

    /// The logit of a class minus that of another.
    pub fn log_odds(class: impl Into<String>, against: impl Into<String>) -> Self {
        Self::unit(Unit::LogOdds(at(class.into()), at(against.into())))
    }

    /// The mean of a module's channel over all positions.
    pub fn channel(module: impl Into<String>, channel: usize) -> Self {
        Self::unit(Unit::Channel(at(module.into()), at(channel)))
    }

    /// A module's channel at a row and column, or at the centre for `None`.
    pub fn neuron(module: impl Into<String>, channel: usize, place: Option<[usize; 2]>) -> Self {
        Self::unit(Unit::Neuron(at(module.into()), at(channel), place.map(|place| place.map(at))))
    }

    /// The mean over all positions of the dot product with a vector, which has one number per channel of the module.
    pub fn direction(module: impl Into<String>, vector: impl Into<Vec<f32>>) -> Self {
        Self::unit(Unit::Direction(at(module.into()), at(Direction::Numbers(vector.into()))))
    }

    /// The mean of the squares of a module's output.
    pub fn layer(module: impl Into<String>) -> Self {
        Self::unit(Unit::Layer(at(module.into())))
    }

    /// Minus the mean cosine similarity between the module's Gram matrix and those of the other images of the batch.
    pub fn diversity(module: impl Into<String>) -> Self {
        Self::unit(Unit::Diversity(at(module.into())))
    }

    fn unit(unit: Unit) -> Self {
        Self::of(vec![Term { weight: 1.0, unit }])
    }

    /// The objective with these terms. Errors point at a term in the written text.
    fn of(mut terms: Vec<Term>) -> Self {
        let (text, begins) = written(&terms);
        for (term, begin) in terms.iter_mut().zip(begins) {
            term.unit.move_to(begin);
        }
        Self { text, terms }
    }

    /// Checks what the parser refuses in text, because code can build it too.
    pub(super) fn check(&self) -> Result<(), Fault> {
        let begins = written(&self.terms).1;
        for (term, &begin) in self.terms.iter().zip(&begins) {
            let wrong = |what: &str| Err(Fault::new(begin, what));
            let finite = |v: &[f32]| v.iter().all(|number| number.is_finite());
            match &term.unit {
                Unit::Class if self.terms.len() > 1 || term.weight != 1.0 => {
                    return wrong("`class` cannot be part of a sum: name the class, as in logit:goldfish");
                }
                Unit::Direction(_, At { value: Direction::Numbers(v), .. }) if !finite(v) => {
                    return wrong("a direction has a number that is not finite");
                }
                _ if !(term.weight as f32).is_normal() => {
                    return wrong("the weight must be a number other than 0 that fits into 32 bits");
                }
                _ => {}
            }
        }
        match begins.get(MAX_TERMS) {
            Some(&begin) => Err(Fault::new(begin, format!("an objective has at most {MAX_TERMS} terms"))),
            None => Ok(()),
        }
    }
}

impl Unit {
    /// Sets the position of all parts to a character of the text.
    fn move_to(&mut self, to: usize) {
        match self {
            Self::Class => {}
            Self::Logit(name)
            | Self::Probability(name)
            | Self::LogProbability(name)
            | Self::Layer(name)
            | Self::Diversity(name) => name.at = to,
            Self::LogOdds(of, against) => [of, against].into_iter().for_each(|name| name.at = to),
            Self::Channel(module, channel) => (module.at, channel.at) = (to, to),
            Self::Neuron(module, channel, place) => {
                (module.at, channel.at) = (to, to);
                place.iter_mut().flatten().for_each(|number| number.at = to);
            }
            Self::Direction(module, from) => (module.at, from.at) = (to, to),
        }
    }
}

impl Add for Objective {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self::of(self.terms.into_iter().chain(other.terms).collect())
    }
}

impl Neg for Objective {
    type Output = Self;

    fn neg(self) -> Self {
        self * -1.0
    }
}

impl Sub for Objective {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        self + -other
    }
}

impl Mul<f64> for Objective {
    type Output = Self;

    fn mul(self, factor: f64) -> Self {
        Self::of(self.terms.into_iter().map(|term| Term { weight: factor * term.weight, ..term }).collect())
    }
}

impl Mul<Objective> for f64 {
    type Output = Objective;

    fn mul(self, objective: Objective) -> Objective {
        objective * self
    }
}
