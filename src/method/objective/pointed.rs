//! Errors that show a text and point at a character.

use crate::Error;

/// The number of characters that are shown on each side.
const AROUND: usize = 48;

/// An error at a character of a text, counted from 0.
#[derive(Debug)]
pub(super) struct Fault {
    pub(super) at: usize,
    pub(super) what: String,
}

impl Fault {
    pub(super) fn new(at: usize, what: impl Into<String>) -> Self {
        Self { at, what: what.into() }
    }

    /// The message, then a line with the text, then a caret below the character.
    pub(super) fn pointed(self, text: &str) -> Error {
        let chars: Vec<char> = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let at = self.at.min(chars.len());
        let (from, to) = (at.saturating_sub(AROUND), (at + AROUND).min(chars.len()));
        let [before, after] = [from > 0, to < chars.len()].map(|cut| if cut { "…" } else { "" });
        let shown: String = chars[from..to].iter().collect();
        let indent = at - from + before.chars().count();
        let what = self.what;
        Error::input(format!("{what}\n  {before}{shown}{after}\n  {}^", " ".repeat(indent)))
    }
}
