//! Parses text into terms by recursive descent over characters. Terms remember their positions, for later errors.

use super::pointed::Fault;
use super::term::{At, Direction, MAX_TERMS, Term, Unit};
use super::write::in_module;
use crate::Result;
use crate::suggest::{near_misses, shown};

/// Longer texts are refused. A direction with 2,048 numbers has about 25,000 characters.
const MAX_CHARS: usize = 1 << 16;

const UNITS: [&str; 9] =
    ["logit", "prob", "logprob", "logodds", "channel", "neuron", "direction", "layer", "diversity"];

type Parsed<T> = std::result::Result<T, Fault>;

/// The terms of an objective.
pub(super) fn objective(text: &str) -> Result<Vec<Term>> {
    let chars: Vec<char> = text.chars().collect();
    let mut parser = Parser { chars: &chars, at: 0 };
    parser.objective().map_err(|fault| fault.pointed(text))
}

struct Parser<'a> {
    chars: &'a [char],
    at: usize,
}

impl Parser<'_> {
    fn objective(&mut self) -> Parsed<Vec<Term>> {
        if self.chars.len() > MAX_CHARS {
            return Err(Fault::new(MAX_CHARS, format!("an objective has at most {MAX_CHARS} characters")));
        }
        self.spaces();
        let negative = self.eat('-');
        if !negative {
            self.eat('+');
        }
        self.spaces();
        let first = self.at;
        let mut terms = vec![self.term(negative)?];
        loop {
            self.spaces();
            let at = self.at;
            let negative = match self.peek() {
                None => return Ok(terms),
                Some('+') => false,
                Some('-') => true,
                Some(_) => return self.fault("expected + or - and another term, or the end"),
            };
            self.at += 1;
            if terms.len() == MAX_TERMS {
                return Err(Fault::new(at, format!("an objective has at most {MAX_TERMS} terms")));
            }
            self.spaces();
            let begin = self.at;
            terms.push(self.term(negative)?);
            if let Some(i) = terms.iter().position(|term| term.unit == Unit::Class) {
                let at = if i == 0 { first } else { begin };
                return Err(Fault::new(at, "`class` cannot be part of a sum: name the class, as in logit:goldfish"));
            }
        }
    }

    fn term(&mut self, negative: bool) -> Parsed<Term> {
        self.spaces();
        let begin = self.at;
        let weight = match self.peek() {
            Some(c) if c.is_ascii_digit() || c == '.' => {
                let weight = self.weight()?;
                self.spaces();
                self.expect('*', "expected * between the weight and its term")?;
                self.spaces();
                weight
            }
            _ => 1.0,
        };
        let at = self.at;
        let word: String = self.take(|c| c.is_ascii_alphanumeric() || c == '_');
        if word == "class" && self.peek() != Some(':') {
            if weight != 1.0 || negative {
                return Err(Fault::new(
                    begin,
                    "`class` cannot have a weight: name the class, as in 0.5*logit:goldfish",
                ));
            }
            return Ok(Term { weight, unit: Unit::Class });
        }
        if !UNITS.contains(&word.as_str()) {
            return Err(Fault::new(at, unknown_unit(&word)));
        }
        self.expect(':', &format!("expected : after `{word}`"))?;
        let unit = self.unit(&word)?;
        Ok(Term { weight: if negative { -weight } else { weight }, unit })
    }

    /// The part after the colon.
    fn unit(&mut self, word: &str) -> Parsed<Unit> {
        Ok(match word {
            "logit" => Unit::Logit(self.class(None)?),
            "prob" => Unit::Probability(self.class(None)?),
            "logprob" => Unit::LogProbability(self.class(None)?),
            "logodds" => {
                let of = self.class(Some('/'))?;
                self.expect('/', "expected / and the class to compare with")?;
                Unit::LogOdds(of, self.class(None)?)
            }
            "layer" => Unit::Layer(self.module()?),
            "diversity" => Unit::Diversity(self.module()?),
            "channel" => {
                let module = self.module_then("a channel")?;
                Unit::Channel(module, self.whole("a channel")?)
            }
            "neuron" => {
                let module = self.module_then("a channel")?;
                let channel = self.whole("a channel")?;
                let place = self.eat('@').then(|| self.place()).transpose()?;
                Unit::Neuron(module, channel, place)
            }
            _ => {
                let module = self.module_then("a direction")?;
                let at = self.at;
                Unit::Direction(module, At { value: self.direction()?, at })
            }
        })
    }

    fn place(&mut self) -> Parsed<[At<usize>; 2]> {
        let row = self.whole("a row")?;
        self.expect(',', "expected , and a column")?;
        Ok([row, self.whole("a column")?])
    }

    fn direction(&mut self) -> Parsed<Direction> {
        if !self.eat('[') {
            let file = self.name("a direction: [V0,V1,...] or a file", Some('#'), true)?;
            let sha256 = self.eat('#').then(|| self.sha256()).transpose()?;
            return Ok(Direction::File { path: file.value.into(), sha256, numbers: None });
        }
        let mut numbers = Vec::new();
        loop {
            self.spaces();
            let at = self.at;
            let text = self.take(|c| c.is_ascii_alphanumeric() || matches!(c, '+' | '-' | '.'));
            let number = text.parse::<f32>().ok().filter(|number| number.is_finite());
            numbers.push(number.ok_or_else(|| Fault::new(at, "expected a number of the direction"))?);
            self.spaces();
            if self.eat(']') {
                return Ok(Direction::Numbers(numbers));
            }
            self.expect(',', "expected , and another number, or ] at the end of the direction")?;
        }
    }

    fn sha256(&mut self) -> Parsed<String> {
        let at = self.at;
        let text = self.take(|c| c.is_ascii_hexdigit());
        if text.len() == 64 {
            return Ok(text.to_ascii_lowercase());
        }
        Err(Fault::new(at, "expected a SHA-256, 64 hexadecimal digits"))
    }

    fn weight(&mut self) -> Parsed<f64> {
        let at = self.at;
        let mut text = self.take(|c| c.is_ascii_digit() || c == '.');
        if let Some(e @ ('e' | 'E')) = self.peek() {
            self.at += 1;
            text.push(e);
            if let Some(sign @ ('+' | '-')) = self.peek() {
                self.at += 1;
                text.push(sign);
            }
            text += &self.take(|c| c.is_ascii_digit());
        }
        let weight = text.parse::<f64>().map_err(|_| Fault::new(at, format!("`{}` is not a number", shown(&text))))?;
        match (weight as f32).is_normal() {
            true => Ok(weight),
            false if weight == 0.0 => Err(Fault::new(at, "a weight of 0 has no effect: drop the term")),
            false => Err(Fault::new(at, format!("the weight {weight} does not fit into 32 bits"))),
        }
    }

    fn whole(&mut self, what: &str) -> Parsed<At<usize>> {
        let at = self.at;
        let text = self.take(|c| c.is_ascii_digit());
        if text.is_empty() {
            return Err(Fault::new(at, format!("expected {what}, a whole number")));
        }
        // A number that does not fit is larger than any module, too.
        Ok(At { value: text.parse().unwrap_or(usize::MAX), at })
    }

    fn module_then(&mut self, next: &str) -> Parsed<At<String>> {
        let module = self.module()?;
        self.expect(':', &format!("expected : and {next}"))?;
        Ok(module)
    }

    fn module(&mut self) -> Parsed<At<String>> {
        if matches!(self.peek(), Some('"' | '\'')) {
            return self.name("a module", None, false);
        }
        let at = self.at;
        let value = self.take(in_module);
        if value.is_empty() { Err(Fault::new(at, "expected a module")) } else { Ok(At { value, at }) }
    }

    fn class(&mut self, end: Option<char>) -> Parsed<At<String>> {
        self.name("a class", end, false)
    }

    /// A name in quotes, or up to `end`, a + or - after a space, or the end of the text. An index ends after its digits.
    fn name(&mut self, what: &str, end: Option<char>, file: bool) -> Parsed<At<String>> {
        let at = self.at;
        if let Some(quote @ ('"' | '\'')) = self.peek() {
            return Ok(At { value: self.quoted(quote)?, at });
        }
        let mut value = String::new();
        while let Some(c) = self.peek() {
            let operator = matches!(c, '+' | '-');
            let index = !file && !value.is_empty() && value.bytes().all(|b| b.is_ascii_digit());
            if Some(c) == end || operator && (index || value.is_empty() || value.ends_with(' ')) {
                break;
            }
            if c == '*' || c == ':' && !file {
                let what =
                    format!("{c} cannot follow a name: put spaces around the + or - between terms, or quote the name");
                return Err(Fault::new(self.at, what));
            }
            value.push(if c.is_whitespace() { ' ' } else { c });
            self.at += 1;
        }
        let value = value.trim().to_owned();
        if value.is_empty() { Err(Fault::new(at, format!("expected {what}"))) } else { Ok(At { value, at }) }
    }

    fn quoted(&mut self, quote: char) -> Parsed<String> {
        let begin = self.at;
        self.at += 1;
        let mut value = String::new();
        loop {
            match self.peek() {
                None => return Err(Fault::new(begin, "this quote is not closed")),
                Some('\\') if self.chars.get(self.at + 1).is_some_and(|&c| c == quote || c == '\\') => {
                    value.push(self.chars[self.at + 1]);
                    self.at += 2;
                }
                Some(c) => {
                    self.at += 1;
                    match (c == quote, value.trim().is_empty()) {
                        (true, true) => return Err(Fault::new(begin, "these quotes are empty")),
                        (true, false) => return Ok(value),
                        _ => value.push(c),
                    }
                }
            }
        }
    }

    fn peek(&self) -> Option<char> {
        self.chars.get(self.at).copied()
    }

    fn eat(&mut self, c: char) -> bool {
        let found = self.peek() == Some(c);
        self.at += usize::from(found);
        found
    }

    fn expect(&mut self, c: char, otherwise: &str) -> Parsed<()> {
        if self.eat(c) { Ok(()) } else { self.fault(otherwise) }
    }

    fn fault<T>(&self, what: &str) -> Parsed<T> {
        Err(Fault::new(self.at, what))
    }

    fn spaces(&mut self) {
        self.take(char::is_whitespace);
    }

    fn take(&mut self, belongs: impl Fn(char) -> bool) -> String {
        let from = self.at;
        while self.peek().is_some_and(&belongs) {
            self.at += 1;
        }
        self.chars[from..self.at].iter().collect()
    }
}

fn unknown_unit(word: &str) -> String {
    let all = UNITS.join(", ");
    match near_misses(word, UNITS.into_iter().map(|unit| (unit, ()))).first() {
        _ if word.is_empty() => format!("expected one of {all}"),
        Some((similar, ())) => format!("`{}` is none of {all}; did you mean {similar}?", shown(word)),
        None => format!("`{}` is none of {all}", shown(word)),
    }
}
