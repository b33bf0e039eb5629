//! The options of a regulariser: keys of settings files and options of the command line.

use serde::Serialize;
use serde_json::Value;

/// A value of a regulariser that settings may have.
#[derive(Debug)]
pub(crate) struct TermOption {
    /// The key, such as `l2_weight`.
    pub(crate) name: &'static str,
    /// Which values it takes.
    pub(crate) kind: OptionKind,
    /// What it is, for people.
    pub(crate) about: &'static str,
}

/// Which values an option takes, and which it has where settings do not say.
#[derive(Clone, Copy, Debug)]
pub(crate) enum OptionKind {
    /// A finite number of at least 0; its default.
    Number(f64),
    /// One of these names, the first of which is the default.
    Name(&'static [&'static str]),
}

/// A value of an option.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(untagged)]
pub(crate) enum OptionValue {
    Number(f64),
    Name(&'static str),
}

impl OptionKind {
    /// The value where settings do not say.
    pub(crate) fn default(self) -> OptionValue {
        match self {
            Self::Number(number) => OptionValue::Number(number),
            Self::Name(names) => OptionValue::Name(names[0]),
        }
    }

    /// The value that a JSON value stands for.
    ///
    /// # Errors
    /// If it is of another kind, in words that follow the option's name.
    pub(crate) fn read(self, value: &Value) -> Result<OptionValue, String> {
        match self {
            Self::Number(_) => {
                value.as_f64().map(OptionValue::Number).ok_or_else(|| format!("is {value}, not a number"))
            }
            Self::Name(names) => {
                let known = names.iter().find(|name| value.as_str() == Some(**name));
                known
                    .map(|name| OptionValue::Name(name))
                    .ok_or_else(|| format!("is {value}, none of {}", names.join(", ")))
            }
        }
    }
}

impl OptionValue {
    /// The number; NaN if it is a name.
    pub(crate) fn number(self) -> f64 {
        match self {
            Self::Number(number) => number,
            Self::Name(_) => f64::NAN,
        }
    }

    /// The name; empty if it is a number.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Number(_) => "",
            Self::Name(name) => name,
        }
    }
}
