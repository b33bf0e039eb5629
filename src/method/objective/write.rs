//! Writes terms as text that `parse` reads.

use std::fmt;

use super::term::{At, Direction, Term, Unit};

/// The text of terms, and the position at which each begins.
pub(super) fn written(terms: &[Term]) -> (String, Vec<usize>) {
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
        let name = |name: &At<String>| quoted(&name.value);
        let module = |name: &At<String>| module(&name.value);
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
            Self::File { path, sha256, .. } => {
                f.write_str(&quoted(&path.to_string_lossy()))?;
                sha256.as_ref().map_or(Ok(()), |sha256| write!(f, "#{sha256}"))
            }
        }
    }
}

/// Whether this character of a module's name needs no quotes.
pub(super) fn in_module(c: char) -> bool {
    c.is_alphanumeric() || c == '_' || c == '.'
}

/// A module's name, in quotes if necessary.
fn module(name: &str) -> String {
    if name.chars().all(in_module) { name.to_owned() } else { in_quotes(name) }
}

/// The name of a class or file, in quotes if necessary.
fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, ' ' | '_' | '.' | ',');
    let starts = name.starts_with(|c: char| c.is_alphabetic()) || name.bytes().all(|b| b.is_ascii_digit());
    // A hyphen directly after a letter belongs to the name.
    let hyphens = |(i, c): (usize, char)| c == '-' && name[..i].ends_with(|c: char| c.is_alphabetic());
    if starts && !name.ends_with(' ') && name.char_indices().all(|(i, c)| plain(c) || hyphens((i, c))) {
        return name.to_owned();
    }
    in_quotes(name)
}

fn in_quotes(name: &str) -> String {
    format!("\"{}\"", name.replace('\\', "\\\\").replace('"', "\\\""))
}
